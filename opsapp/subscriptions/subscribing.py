"""New subscriptions: one from a door, hundreds from an import."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from opsapp.customers.errors import MethodNotUsable, MethodOfAnother
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.states import RowMove
from opsapp.settings import current
from opsapp.subscriptions import queries, rules
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.queries import MethodState, PlanTerms
from opsapp.subscriptions.states import SUBSCRIPTION, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """Without `starts_on` it starts today, without `anchor_day` it is billed on its first day.

    `import_ref` names a contract that was billed elsewhere until now: its first period here is
    the first one due today or later. `cancelled_on`: it had ended there. Raises Invalid.
    """

    customer_id: int
    plan_id: int
    payment_method_id: int
    starts_on: date | None = None
    anchor_day: int | None = None
    contract: str = ""
    terms_version: str = ""
    consented_on: date | None = None
    import_ref: str | None = None
    cancelled_on: date | None = None

    def __post_init__(self) -> None:
        if self.anchor_day is None:
            return
        if not 1 <= self.anchor_day <= 31:
            raise Invalid(field="anchor_day", reason="must be between 1 and 31.")


@dataclass(frozen=True, slots=True)
class _Agreed:
    anchor_on: date
    anchor_day: int
    interval: str
    interval_count: int


@within_transaction
def subscribe(wishes: Sequence[NewSubscription], *, by: Actor) -> list[int]:
    """Ids in the order of the wishes; the first period is charged by the next billing run.

    A method that still waits for its billing key will do. Raises NotFound, MethodOfAnother,
    MethodNotUsable, Invalid.
    """
    today = clock.seoul_date(clock.now())
    plans = queries.list_terms([wish.plan_id for wish in wishes])
    methods = queries.list_method_states([wish.payment_method_id for wish in wishes])
    rows = []
    for wish in wishes:
        if wish.plan_id not in plans:
            raise NotFound(noun="plan", id=wish.plan_id)
        _require_own_method(wish, methods)
        rows.append(_row(wish, plans[wish.plan_id], today=today))
    written = bulk_insert(Subscription, rows, returning=("ref", "id"))
    id_of = {row.ref: row.id for row in written}
    ids = [id_of[row["ref"]] for row in rows]
    record_many(
        [
            Entry("subscription.started", queries.SUBJECT, id_, because=_because(wish))
            for id_, wish in zip(ids, wishes, strict=True)
        ],
        by=by,
    )
    _end_at_once(list(zip(ids, wishes, strict=True)), by=by)
    return ids


def _require_own_method(wish: NewSubscription, methods: dict[int, MethodState]) -> None:
    method = methods.get(wish.payment_method_id)
    if method is None:
        raise NotFound(noun="payment method", id=wish.payment_method_id)
    if method.customer_id != wish.customer_id:
        raise MethodOfAnother(field="payment_method")
    if method.is_dead and wish.cancelled_on is None:
        raise MethodNotUsable(field="payment_method", status=method.status)


def _row(wish: NewSubscription, plan: PlanTerms, *, today: date) -> dict[str, Any]:
    anchor_on = wish.starts_on or today
    anchor_day = wish.anchor_day or anchor_on.day
    if plan.interval == "month" and anchor_on != rules.on_anchor_day(
        anchor_on.year, anchor_on.month, anchor_day
    ):
        reason = f"{anchor_day} does not fit the first day, {anchor_on}."
        raise Invalid(field="anchor_day", reason=reason)
    agreed = _Agreed(anchor_on, anchor_day, plan.interval, plan.interval_count)
    index = 0 if wish.import_ref is None else rules.first_index_on_or_after(today, agreed)
    return {
        "ref": new_ref("sub"),
        "import_ref": wish.import_ref,
        "customer_id": wish.customer_id,
        "plan_id": wish.plan_id,
        "payment_method_id": wish.payment_method_id,
        "status": SUBSCRIPTION.start.value,
        "amount_minor": plan.amount_minor,
        "currency": plan.currency,
        "interval": plan.interval,
        "interval_count": plan.interval_count,
        "anchor_on": anchor_on,
        "anchor_day": anchor_day,
        "next_period_index": index,
        "next_due_at": rules.due_at(agreed, index, hour=current().charge_hour),
        "contract": wish.contract,
        "terms_version": wish.terms_version,
        "consented_on": wish.consented_on or anchor_on,
    }


def _because(wish: NewSubscription) -> str:
    return "imported" if wish.import_ref is not None else "subscribed"


def _end_at_once(added: Sequence[tuple[int, NewSubscription]], *, by: Actor) -> None:
    moves = [
        RowMove(
            subscription_id,
            SUBSCRIPTION.start,
            SubscriptionStatus.CANCELLED,
            "it had been cancelled before it came to us",
            also={"cancelled_on": wish.cancelled_on},
        )
        for subscription_id, wish in added
        if wish.cancelled_on is not None
    ]
    SUBSCRIPTION.move_many(Subscription, moves, by=by)
