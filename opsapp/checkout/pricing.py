"""Pricing: what a cart costs today, once and each period. What is shown is what is charged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from opsapp.catalog import queries as catalog
from opsapp.catalog.queries import Terms
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish
from opsapp.subscriptions import rules

DATES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is bought once; `amount` is that of the line, shipping within it."""

    title: str
    quantity: int
    amount: Money
    shipping: Money


@dataclass(frozen=True, slots=True)
class Recurring:
    """A subscription that would begin today, at the price of its plan's version in force.

    `now` is nothing while a trial lasts. `next_on`: the first days of charges after today.
    """

    place: int  # among the lines of the cart
    title: str
    plan_id: int
    plan: str
    quantity: int
    amount: Money  # each period
    now: Money
    interval: str
    interval_count: int
    first_on: date
    next_on: tuple[date, ...]
    trial_days: int
    term_periods: int | None

    @property
    def goes_on(self) -> bool:
        told = len(self.next_on) + (0 if self.trial_days else 1)
        return self.term_periods is None or told < self.term_periods


@dataclass(frozen=True, slots=True)
class Quote:
    items: tuple[Item, ...]
    recurring: tuple[Recurring, ...]
    currency: str

    @property
    def one_off(self) -> Money:
        """What points and money pay together."""
        return Money(sum(item.amount.minor for item in self.items), self.currency)

    @property
    def first_periods(self) -> Money:
        return Money(sum(each.now.minor for each in self.recurring), self.currency)

    @property
    def each_period(self) -> Money:
        """Of all that recurs, in whatever rhythm."""
        return Money(sum(each.amount.minor for each in self.recurring), self.currency)

    @property
    def now(self) -> Money:
        """Points not taken off."""
        return self.one_off + self.first_periods


def price(lines: Sequence[LineWish], *, today: date) -> Quote:
    """Raises NotFound for a plan that is none, and Invalid for one in another currency."""
    plans = [line.plan_id for line in lines if line.plan_id is not None]
    terms = catalog.list_terms_on(plans, today) if plans else {}
    items, recurring = [], []
    for place, line in enumerate(lines):
        if line.plan_id is None:
            shipping = Money(line.shipping_minor, line.unit_price.currency)
            items.append(Item(line.title, line.quantity, line.amount, shipping))
        elif line.plan_id not in terms:
            raise NotFound(noun="plan", id=line.plan_id)
        elif terms[line.plan_id].currency != lines[0].unit_price.currency:
            raise Invalid(field="lines", reason="must all have the same currency.")
        else:
            recurring.append(_recurring(place, line, terms[line.plan_id], today))
    return Quote(tuple(items), tuple(recurring), lines[0].unit_price.currency)


def _recurring(place: int, line: LineWish, terms: Terms, today: date) -> Recurring:
    amount = Money(terms.amount.minor * line.quantity, terms.currency)
    first_on = today + timedelta(days=terms.trial_days)
    begin = 0 if terms.trial_days else 1
    last = begin + DATES_SHOWN
    shown = range(begin, last if terms.term_periods is None else min(last, terms.term_periods))
    return Recurring(
        place=place,
        title=line.title,
        plan_id=terms.plan_id,
        plan=terms.name,
        quantity=line.quantity,
        amount=amount,
        now=Money(0, terms.currency) if terms.trial_days else amount,
        interval=terms.interval,
        interval_count=terms.interval_count,
        first_on=first_on,
        next_on=tuple(
            rules.due_date(first_on, first_on.day, terms.interval, terms.interval_count, index)
            for index in shown
        ),
        trial_days=terms.trial_days,
        term_periods=terms.term_periods,
    )
