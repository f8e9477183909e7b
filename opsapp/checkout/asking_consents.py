"""Asking for consents: what a cart that recurs has to be agreed to, in the words of today."""

from collections.abc import Collection
from dataclasses import dataclass

from opsapp.checkout.errors import ConsentsMissing
from opsapp.checkout.pricing import Quote, Recurring
from opsapp.consents import agreeing
from opsapp.consents.agreeing import Offer

KIND = "recurring_payment"


@dataclass(frozen=True, slots=True)
class Needed:
    """Charging it again and again is refused without this agreement."""

    offer: Offer
    recurring: Recurring

    @property
    def key(self) -> str:
        """Who ticks it has agreed to these letters and to no others."""
        return self.offer.shown.hash


def list_needed(quote: Quote, *, locale: str) -> list[Needed]:
    """One for each subscription; nothing for what is bought once. Raises NoTerms."""
    return [
        Needed(agreeing.offer(KIND, facts_of(each), locale=locale), each)
        for each in quote.recurring
    ]


def require(quote: Quote, ticked: Collection[str], *, locale: str) -> None:
    """Raises ConsentsMissing; other words than those that were ticked are not agreed to."""
    missing = [each for each in list_needed(quote, locale=locale) if each.key not in ticked]
    if missing:
        raise ConsentsMissing(kinds=(KIND,), keys=tuple(each.key for each in missing))


def facts_of(recurring: Recurring) -> dict[str, str | int]:
    """As the subscription's own record of the consent has them."""
    return {
        "plan": recurring.plan,
        "amount_minor": recurring.amount.minor,
        "currency": recurring.amount.currency,
        "interval": recurring.interval,
        "interval_count": recurring.interval_count,
        "first_on": recurring.first_on.isoformat(),
    }
