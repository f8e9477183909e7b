"""Asking for consent: a higher price, or the end of a free trial, is agreed to separately."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from opsapp.catalog import queries as catalog
from opsapp.consents import agreeing
from opsapp.consents.agreeing import NewConsent, Offer
from opsapp.consents.queries import Agreement, list_agreements
from opsapp.customers import linking
from opsapp.customers.queries import list_methods_by_id
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import within_transaction
from opsapp.subscriptions import finding_changes, gating, queries, rules
from opsapp.subscriptions.errors import NothingToAgreeTo
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.states import ENDED

PURPOSE = "consent"
PRICE_CHANGE, TRIAL = "price_change", "trial_to_paid"


@dataclass(frozen=True, slots=True)
class Question:
    """What a customer is asked to agree to, with the words of today in their language.

    The gate lets a charge pass with a consent of `asked_from` or later; `agreed_at` is that of one.
    """

    subscription_id: int
    customer_id: int
    kind: str
    subject_type: str
    subject_id: int
    charged_on: date
    asked_from: date
    agreed_at: datetime | None
    offer: Offer

    def is_open(self, today: date) -> bool:
        """Whether an answer of this day would count and is still wanted."""
        return self.agreed_at is None and today >= self.asked_from


def find_question(subscription_id: int, *, locale: str) -> Question | None:
    """None where nothing waits for an agreement. Raises NotFound, NoTerms."""
    subscription = queries.get_subscription(subscription_id)
    if subscription.status in ENDED:
        return None
    change = finding_changes.list_open_changes([subscription_id]).get(subscription_id)
    if change is not None and change.kind == "price" and change.needs_consent:
        return _price_question(subscription, change, locale)
    is_tried = subscription.trial_ends_on is not None
    if is_tried and finding_changes.list_never_charged([subscription_id]):
        return _trial_question(subscription, locale)
    return None


@within_transaction
def agree(token: str, subscription_id: int, *, seen_hash: str, locale: str, by: Actor) -> None:
    """Record what was on the screen; a second click or tab agrees to nothing twice.

    Raises LinkUnknown, NothingToAgreeTo, TextChanged.
    """
    link = linking.hold_link(token, purpose=PURPOSE)
    question = find_question(subscription_id, locale=locale)
    if question is None or seoul_date(clock.now()) < question.asked_from:
        raise NothingToAgreeTo
    if question.agreed_at is not None and question.offer.shown.hash == seen_hash:
        return
    wish = NewConsent(
        question.kind,
        question.customer_id,
        subscription_id,
        question.offer.facts,
        "link",
        subject_type=question.subject_type,
        subject_id=question.subject_id,
        locale=locale,
        seen_hash=seen_hash,
        link_id=link.id,
    )
    agreeing.record_consents([wish], by=by)


def _price_question(
    subscription: Subscription, change: SubscriptionChange, locale: str
) -> Question:
    index = rules.first_index_on_or_after(change.effective_on, subscription)
    index = max(index, subscription.next_period_index)
    facts = {
        "old_minor": change.from_amount_minor,
        "new_minor": change.to_amount_minor,
        "from_on": change.effective_on.isoformat(),
    }
    charged_on = rules.due_on(subscription, index)
    subject = (finding_changes.CHANGE_SUBJECT, change.id)
    return _question(
        subscription, PRICE_CHANGE, subject, facts=facts, charged_on=charged_on, locale=locale
    )


def _trial_question(subscription: Subscription, locale: str) -> Question:
    charged_on = seoul_date(subscription.next_due_at)
    facts = {"amount_minor": subscription.amount_minor, "first_on": charged_on.isoformat()}
    subject = (queries.SUBJECT, subscription.id)
    return _question(
        subscription, TRIAL, subject, facts=facts, charged_on=charged_on, locale=locale
    )


def _question(
    subscription: Subscription,
    kind: str,
    subject: tuple[str, int],
    *,
    facts: dict[str, Any],
    charged_on: date,
    locale: str,
) -> Question:
    method = list_methods_by_id([subscription.payment_method_id])[subscription.payment_method_id]
    offer = agreeing.offer(
        kind,
        facts
        | {
            "plan": catalog.get_plan(subscription.plan_id).name,
            "currency": subscription.currency,
            "interval": subscription.interval,
            "interval_count": subscription.interval_count,
            "method": " ".join(
                part
                for part in (method.label, f"**** {method.last4}" if method.last4 else "")
                if part
            ),
        },
        locale=locale,
    )
    # A charge that was refused on its day is looked at again each day.
    charged_on = max(charged_on, seoul_date(clock.now()))
    asked_from = charged_on - timedelta(days=gating.CONSENT_DAYS)
    return Question(
        subscription.id,
        subscription.customer_id,
        kind,
        *subject,
        charged_on,
        asked_from,
        _agreed_at(subscription.id, kind, subject, asked_from),
        offer,
    )


def _agreed_at(
    subscription_id: int, kind: str, subject: tuple[str, int], asked_from: date
) -> datetime | None:
    """Of the latest consent that the gate would take for this."""
    kinds = gating.TRIAL_CONSENTS if kind == TRIAL else gating.PRICE_CONSENTS
    given: list[Agreement] = list_agreements([subscription_id], kinds).get(subscription_id, [])
    counting = [
        each.agreed_at
        for each in given
        if (kind == TRIAL or (each.subject_type, each.subject_id) == subject)
        and seoul_date(each.agreed_at) >= asked_from
    ]
    return counting[-1] if counting else None
