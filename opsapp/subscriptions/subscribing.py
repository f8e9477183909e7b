"""New subscriptions: one from a door, hundreds from an import."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from opsapp.catalog import queries as catalog
from opsapp.catalog.queries import Terms
from opsapp.consents import agreeing
from opsapp.consents.agreeing import NewConsent
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
from opsapp.subscriptions.queries import MethodState
from opsapp.subscriptions.states import SUBSCRIPTION, SubscriptionStatus

QUANTITY_MAX = 1_000_000
TRIAL_DAYS_MAX = 366
TERM_PERIODS_MAX = 1200
CONSENT = "recurring_payment"


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """Without `starts_on` it starts today, without `anchor_day` it is billed on its first day.

    Trial and term are the plan's of today unless they are named: `trial_days` 0 and `term_periods`
    0 mean none. After a trial of n days the first period falls on the n-th day after the start.
    `import_ref` names a contract that was billed elsewhere until now: its first period here is
    the first one due today or later, at the plan's first price and without a trial.
    `cancelled_on`: it had ended there. Raises Invalid.
    """

    customer_id: int
    plan_id: int
    payment_method_id: int
    starts_on: date | None = None
    anchor_day: int | None = None
    quantity: int = 1
    trial_days: int | None = None
    term_periods: int | None = None
    contract: str = ""
    terms_version: str = ""
    consented_on: date | None = None
    import_ref: str | None = None
    cancelled_on: date | None = None
    locale: str = "ko"  # of the words that the customer agreed to

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("anchor_day", self.anchor_day, range(1, 32)),
            ("quantity", self.quantity, range(1, QUANTITY_MAX + 1)),
            ("trial_days", self.trial_days, range(TRIAL_DAYS_MAX + 1)),
            ("term_periods", self.term_periods, range(TERM_PERIODS_MAX + 1)),
        ):
            if value is not None and value not in allowed:
                reason = f"must be between {allowed[0]} and {allowed[-1]}."
                raise Invalid(field=name, reason=reason)

    @property
    def is_imported(self) -> bool:
        return self.import_ref is not None


@dataclass(frozen=True, slots=True)
class _Agreed:
    anchor_on: date
    anchor_day: int
    interval: str
    interval_count: int
    term_periods: int | None


@within_transaction
def subscribe(wishes: Sequence[NewSubscription], *, by: Actor) -> list[int]:
    """Ids in the order of the wishes; the first period is charged by the next billing run.

    That each customer agreed is kept as evidence. A method that still waits for its billing key
    will do. Raises NotFound, MethodOfAnother, MethodNotUsable, Invalid.
    """
    today = clock.seoul_date(clock.now())
    plans = _list_terms(wishes, today)
    methods = queries.list_method_states([wish.payment_method_id for wish in wishes])
    rows = []
    for wish in wishes:
        if (wish.plan_id, wish.is_imported) not in plans:
            raise NotFound(noun="plan", id=wish.plan_id)
        _require_own_method(wish, methods)
        rows.append(_row(wish, plans[wish.plan_id, wish.is_imported], today=today))
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
    consents = [
        _consent(id_, wish, row, plans[wish.plan_id, wish.is_imported])
        for id_, wish, row in zip(ids, wishes, rows, strict=True)
    ]
    agreeing.record_consents([each for each in consents if each is not None], by=by)
    _end_at_once(list(zip(ids, wishes, strict=True)), by=by)
    return ids


def _list_terms(wishes: Sequence[NewSubscription], today: date) -> dict[tuple[int, bool], Terms]:
    """By plan and whether it is imported: a contract from elsewhere keeps the price it names."""
    new = [wish.plan_id for wish in wishes if not wish.is_imported]
    imported = [wish.plan_id for wish in wishes if wish.is_imported]
    found = {(id_, False): terms for id_, terms in catalog.list_terms_on(new, today).items()}
    first = catalog.list_terms_on(imported, date.min) if imported else {}
    return found | {(id_, True): terms for id_, terms in first.items()}


def _require_own_method(wish: NewSubscription, methods: dict[int, MethodState]) -> None:
    method = methods.get(wish.payment_method_id)
    if method is None:
        raise NotFound(noun="payment method", id=wish.payment_method_id)
    if method.customer_id != wish.customer_id:
        raise MethodOfAnother(field="payment_method")
    if method.is_dead and wish.cancelled_on is None:
        raise MethodNotUsable(field="payment_method", status=method.status)


def _row(wish: NewSubscription, plan: Terms, *, today: date) -> dict[str, Any]:
    trial_days = _first_of(wish.trial_days, 0 if wish.is_imported else plan.trial_days)
    anchor_on = (wish.starts_on or today) + timedelta(days=trial_days)
    agreed = _agreed(wish, plan, anchor_on)
    index = rules.first_index_on_or_after(today, agreed) if wish.is_imported else 0
    status = SubscriptionStatus.TRIALING if trial_days else SUBSCRIPTION.start
    return {
        "ref": new_ref("sub"),
        "import_ref": wish.import_ref,
        "customer_id": wish.customer_id,
        "plan_id": wish.plan_id,
        "plan_version": plan.version,
        "payment_method_id": wish.payment_method_id,
        "status": status.value,
        "quantity": wish.quantity,
        "amount_minor": plan.amount_minor * wish.quantity,
        "currency": plan.currency,
        "interval": plan.interval,
        "interval_count": plan.interval_count,
        "anchor_on": anchor_on,
        "anchor_day": agreed.anchor_day,
        "next_period_index": index,
        "next_due_at": rules.due_at(agreed, index, hour=current().charge_hour),
        "trial_ends_on": anchor_on if trial_days else None,
        "term_periods": agreed.term_periods,
        "ends_on": rules.end_of_term(agreed),
        "contract": wish.contract,
        "terms_version": wish.terms_version,
        "consented_on": wish.consented_on or wish.starts_on or today,
    }


def _agreed(wish: NewSubscription, plan: Terms, anchor_on: date) -> _Agreed:
    """Raises Invalid: the first period falls on the agreed day."""
    anchor_day = wish.anchor_day or anchor_on.day
    if plan.interval == "month" and anchor_on != rules.on_anchor_day(
        anchor_on.year, anchor_on.month, anchor_day
    ):
        reason = f"{anchor_day} does not fit the first day, {anchor_on}."
        raise Invalid(field="anchor_day", reason=reason)
    plans_term = None if wish.is_imported else plan.term_periods
    term = _first_of(wish.term_periods, plans_term or 0) or None
    return _Agreed(anchor_on, anchor_day, plan.interval, plan.interval_count, term)


def _first_of(wished: int | None, otherwise: int) -> int:
    return otherwise if wished is None else wished


def _because(wish: NewSubscription) -> str:
    return "imported" if wish.is_imported else "subscribed"


def _consent(
    subscription_id: int, wish: NewSubscription, row: dict[str, Any], plan: Terms
) -> NewConsent | None:
    """None: of an imported contract nobody knows when it was agreed to."""
    if wish.is_imported and wish.consented_on is None:
        return None
    agreed_at = clock.seoul_midnight(wish.consented_on) if wish.consented_on else None
    return NewConsent(
        CONSENT,
        wish.customer_id,
        subscription_id,
        facts={
            "plan": plan.name,
            "amount_minor": row["amount_minor"],
            "currency": row["currency"],
            "interval": row["interval"],
            "interval_count": row["interval_count"],
            "first_on": row["anchor_on"].isoformat(),
        },
        channel=agreeing.IMPORT if wish.is_imported else "checkout",
        agreed_at=agreed_at,
        terms_label=wish.terms_version,
        locale=wish.locale,
    )


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
