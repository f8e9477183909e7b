"""Plans: what may be subscribed to, at which price and rhythm."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.catalog import queries, rules
from opsapp.catalog.errors import PlanIsFixed
from opsapp.catalog.models import Plan
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.money import Money


@dataclass(frozen=True, slots=True)
class NewPlan:
    """Raises Invalid naming the field."""

    code: str
    name: str
    amount: Money
    interval: str = "month"
    interval_count: int = 1
    seller_id: int | None = None  # whose plan it is; None: the house's own

    def __post_init__(self) -> None:
        rules.check_code(self.code)
        object.__setattr__(self, "name", rules.check_name(self.name))
        rules.check_interval(self.interval)
        rules.check_interval_count(self.interval_count)
        rules.check_amount(self.amount.minor)

    @property
    def terms(self) -> str:
        every = f"every {self.interval_count} {self.interval}(s)"
        return f"{self.amount.minor} {self.amount.currency} {every}"


@within_transaction
def add_plans(wishes: Sequence[NewPlan], *, by: Actor) -> dict[str, int]:
    """Plan ids by code. A code that exists must name the same terms, or PlanIsFixed is raised.

    A plan is fixed from its first day, not from its first subscriber: between reading "nobody
    uses it" and writing, somebody may.
    """
    first: dict[str, NewPlan] = {}
    for wish in wishes:
        refuse_other_terms(first.setdefault(wish.code, wish), wish)
    written = bulk_insert(
        Plan, [_row(wish) for wish in first.values()], returning=("code", "id"), or_nothing=True
    )
    new = {row.code: row.id for row in written}
    held = queries.list_plans_by_code([code for code in first if code not in new])
    for code, plan in held.items():
        refuse_other_terms(terms_of(plan), first[code])
    record_many([Entry("plan.added", "plan", plan_id) for plan_id in new.values()], by=by)
    return new | {code: plan.id for code, plan in held.items()}


def terms_of(plan: Plan) -> NewPlan:
    return NewPlan(
        plan.code, plan.name, plan.amount, plan.interval, plan.interval_count, plan.seller_id
    )


def refuse_other_terms(held: NewPlan, wanted: NewPlan) -> None:
    """Raises PlanIsFixed; another name is no other plan, and who names no seller asks for none."""
    is_others = wanted.seller_id not in (None, held.seller_id)
    if held.terms != wanted.terms or is_others:
        raise PlanIsFixed(
            field="plan_code", plan_code=held.code, held=held.terms, wanted=wanted.terms
        )


def _row(wish: NewPlan) -> dict[str, object]:
    return {
        "code": wish.code,
        "name": wish.name,
        "interval": wish.interval,
        "interval_count": wish.interval_count,
        "amount_minor": wish.amount.minor,
        "currency": wish.amount.currency,
        "seller_id": wish.seller_id,
    }
