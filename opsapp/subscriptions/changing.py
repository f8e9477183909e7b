"""Changing a plan, a quantity or a billing day: with its difference to the won, now or later.

One change of a subscription is open at a time. What costs more now is applied once its difference
is paid, by a payment of its own; what costs less is applied at once and the difference refunded
from the running period's payment; what was planned is applied when its period is charged.
"""

from collections.abc import Sequence

from opsapp.catalog.queries import list_terms_of
from opsapp.customers.errors import MethodNotUsable
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, bulk_update, within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.log import Entry, record
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.payments import queries as payment_queries, refunding, requesting
from opsapp.payments.events import PaymentFact, PaymentsFailed, PaymentsPaid
from opsapp.payments.refunding import RefundWish
from opsapp.payments.requesting import PaymentOrder
from opsapp.subscriptions import applying_changes, finding_changes, queries
from opsapp.subscriptions.applying_changes import TOLD_BY
from opsapp.subscriptions.errors import ChangeIsOver, FiguresChanged
from opsapp.subscriptions.finding_changes import CHANGE_SUBJECT
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.previewing_changes import (
    NOW,
    PRICE,
    ChangePreview,
    ChangeWish,
    preview,
)
from opsapp.subscriptions.states import CHANGE, CHANGE_OPEN, ChangeStatus
from opsapp.tickets.opening import NewTicket, open_tickets

UNPAID = "change_unpaid"  # reason of a ticket
UNPAID_NOTICE = "plan_change_unpaid"
REPLACED = "another change took its place"
_REACTION = Actor("worker", "subscriptions.changing")
_TITLE_LENGTH_MAX = 80


def preview_change(subscription_id: int, wish: ChangeWish) -> ChangePreview:
    """Every figure of the change if it were made now; nothing is written.

    Raises NotFound, MoveRefused, ChangeBlocked, ChangeUnderWay, NothingChanges, LastPeriodCharged,
    Invalid.
    """
    return preview(subscription_id, wish)


@within_transaction
def change(subscription_id: int, wish: ChangeWish, *, seen: str, by: Actor) -> int:
    """Do what the preview with the fingerprint `seen` showed; returns the change's id.

    Raises FiguresChanged where the same preview would show other figures now, what preview_change
    raises, MethodNotUsable, and what refunding.request_refund raises.
    """
    running = finding_changes.find_running_period(subscription_id)
    paid = running.payment if running is not None else None
    if paid is not None:  # house order: the payment before the subscription
        payment_queries.lock_payment(paid.id)
    subscription = queries.lock_subscription(subscription_id)
    shown = preview(subscription_id, wish)
    if shown.fingerprint != seen or shown.refund_payment_id not in (None, paid and paid.id):
        raise FiguresChanged
    if shown.replaces_change_id is not None:
        _withdraw(finding_changes.list_changes([shown.replaces_change_id]), REPLACED, by=by)
    _require_method(subscription, shown)
    change_id = _insert(subscription, shown, wish, by=by)
    record(_requested(shown, change_id, wish), by=by)
    if shown.to_pay.minor:
        _ask_to_pay(subscription, shown, change_id, by=by)
        return change_id
    [row] = finding_changes.list_changes([change_id])
    applying_changes.tell([(row, subscription)], by=by)
    if shown.when == NOW:
        applying_changes.apply([(row, subscription)], by=by)
    else:
        bulk_update(Subscription, [{"id": subscription_id, "is_announced": False}])
    if paid is not None and shown.to_refund.minor:
        _refund(paid.id, paid.refundable, shown.to_refund, change_id, by=by)
    return change_id


@within_transaction
def withdraw_change(change_id: int, *, because: str, by: Actor) -> None:
    """Take back what is planned or not paid yet; another price is not taken back for one alone.

    A difference that is at the gateway already goes on to its end, and is refunded if it is paid.
    Raises NotFound, ChangeIsOver.
    """
    change_ = finding_changes.get_change(change_id)
    if change_.payment_id is not None:
        payment_queries.lock_payment(change_.payment_id)
    subscription = queries.lock_subscription(change_.subscription_id)
    [change_] = finding_changes.list_changes([change_id])
    if change_.status not in CHANGE_OPEN or change_.kind == PRICE:
        raise ChangeIsOver
    _withdraw([change_], because, by=by)
    bulk_update(Subscription, [{"id": subscription.id, "is_announced": False}])


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """The difference was paid: the change applies; if nobody wants it any more, it goes back."""
    facts = _about_changes(event.payments)
    if not facts:
        return
    changes = _lock_changes(facts)
    wanted = [row for row in changes if row.status == ChangeStatus.AWAITING_PAYMENT]
    subscriptions = queries.lock_subscriptions([row.subscription_id for row in wanted])
    pairs = [(row, subscriptions[row.subscription_id]) for row in wanted]
    applying_changes.tell(pairs, by=_REACTION)
    applying_changes.apply(pairs, by=_REACTION)
    for row in changes:  # a handful at most: changes that were withdrawn while being paid
        if row.status == ChangeStatus.WITHDRAWN:
            _give_back(row, facts[row.id])


@within_transaction
def on_payments_failed(event: PaymentsFailed) -> None:
    """The difference was not paid: everything stays as it was; the customer and staff are told."""
    facts = _about_changes(event.payments)
    if not facts:
        return
    changes = _lock_changes(facts)
    waiting = [row for row in changes if row.status == ChangeStatus.AWAITING_PAYMENT]
    because = "the difference was not paid"
    _move(waiting, ChangeStatus.WITHDRAWN, because, by=_REACTION)
    # What was announced may have been the price of a change that this one had replaced.
    stale = [{"id": row.subscription_id, "is_announced": False} for row in waiting]
    bulk_update(Subscription, stale)
    payment_ids = sorted(fact.payment_id for fact in facts.values())
    requesting.withdraw(payment_ids, because=because, by=_REACTION)
    _tell_unpaid(waiting, facts)
    open_tickets(
        [
            NewTicket(
                queries.SUBJECT,
                row.subscription_id,
                facts[row.id].customer_id,
                UNPAID,
                f"change {row.id}: {facts[row.id].failure_code or 'failed'}",
            )
            for row in waiting
        ],
        by=_REACTION,
    )


def _tell_unpaid(changes: Sequence[SubscriptionChange], facts: dict[int, PaymentFact]) -> None:
    terms = list_terms_of({(row.to_plan_id, row.to_plan_version) for row in changes})
    sending.queue_notices(
        [
            NewNotice(
                UNPAID_NOTICE,
                CHANGE_SUBJECT,
                row.id,
                facts[row.id].customer_id,
                {
                    "plan": terms[row.to_plan_id, row.to_plan_version].name,
                    "amount_minor": facts[row.id].amount_minor,
                    "currency": row.currency,
                },
            )
            for row in changes
        ],
        by=_REACTION,
    )


def _about_changes(payments: Sequence[PaymentFact]) -> dict[int, PaymentFact]:
    return {fact.subject_id: fact for fact in payments if fact.subject_type == CHANGE_SUBJECT}


def _lock_changes(facts: dict[int, PaymentFact]) -> list[SubscriptionChange]:
    """A change moves under the lock of its subscription."""
    queries.lock_subscriptions(finding_changes.list_changed_subscriptions(sorted(facts)))
    return finding_changes.list_changes(sorted(facts))


def _require_method(subscription: Subscription, shown: ChangePreview) -> None:
    method_id = subscription.payment_method_id
    method = queries.list_method_states([method_id])[method_id]
    if shown.to_pay.minor and not method.is_active:
        raise MethodNotUsable(field="payment_method", status=method.status)


def _insert(
    subscription: Subscription, shown: ChangePreview, wish: ChangeWish, *, by: Actor
) -> int:
    before, after = shown.before, shown.after
    status = ChangeStatus.PLANNED
    if shown.to_pay.minor:
        status = ChangeStatus.AWAITING_PAYMENT
    elif shown.when == NOW:
        status = ChangeStatus.APPLIED
    now = clock.now()
    row = {
        "subscription_id": subscription.id,
        "kind": shown.kind,
        "status": status.value,
        "from_plan_id": before.plan_id,
        "to_plan_id": after.plan_id,
        "to_plan_version": after.plan_version,
        "from_quantity": before.quantity,
        "to_quantity": after.quantity,
        "from_amount_minor": before.amount.minor,
        "to_amount_minor": after.amount.minor,
        "from_anchor_day": before.anchor_day,
        "to_anchor_day": after.anchor_day,
        "currency": after.amount.currency,
        "effective_on": shown.effective_on,
        "proration_minor": shown.to_pay.minor - shown.to_refund.minor,
        "needs_consent": False,  # whoever asks for it agrees to it
        "because": wish.because,
        "requested_by": str(by),
        "created_at": now,
        "applied_at": now if status is ChangeStatus.APPLIED else None,
    }
    [written] = bulk_insert(SubscriptionChange, [row], returning=("id",))
    return int(written.id)


def _requested(shown: ChangePreview, change_id: int, wish: ChangeWish) -> Entry:
    return Entry(
        "subscription.change_requested",
        queries.SUBJECT,
        shown.subscription_id,
        because=wish.because,
        detail={
            "change_id": change_id,
            "kind": shown.kind,
            "when": shown.when,
            "effective_on": shown.effective_on.isoformat(),
            "from_amount_minor": shown.before.amount.minor,
            "to_amount_minor": shown.after.amount.minor,
            "to_pay_minor": shown.to_pay.minor,
            "to_refund_minor": shown.to_refund.minor,
        },
    )


def _ask_to_pay(
    subscription: Subscription, shown: ChangePreview, change_id: int, *, by: Actor
) -> None:
    order = PaymentOrder(
        subject_type=CHANGE_SUBJECT,
        subject_id=change_id,
        customer_id=subscription.customer_id,
        payment_method_id=subscription.payment_method_id,
        title=f"{shown.after.plan_name[:_TITLE_LENGTH_MAX]} {shown.effective_on}",
        amount=shown.to_pay,
    )
    [payment_id] = requesting.request_payments([order], by=by, hurry=True).values()
    bulk_update(SubscriptionChange, [{"id": change_id, "payment_id": payment_id}])


def _refund(
    payment_id: int, refundable: Money, amount: Money, change_id: int, *, by: Actor
) -> None:
    wish = RefundWish(
        request_id=f"change-{change_id:08d}",
        amount=amount,
        seen_refundable_minor=refundable.minor,
        reason=_("Difference after a change of the subscription"),
    )
    refunding.request_refund(payment_id, wish, by=by)


def _give_back(row: SubscriptionChange, fact: PaymentFact) -> None:
    """Money for a change that was withdrawn while its payment was at the gateway."""
    paid = payment_queries.lock_payment(fact.payment_id)
    if paid.refundable.minor <= 0:
        return
    wish = RefundWish(
        request_id=f"change-{row.id:08d}-back",
        amount=paid.refundable,
        seen_refundable_minor=paid.refundable.minor,
        reason=_("The change of the subscription was withdrawn"),
    )
    try:
        refunding.request_refund(paid.id, wish, by=_REACTION)
    except OpsError as refusal:  # the answer itself must be recorded all the same
        summary = f"paid for change {row.id}, which was withdrawn ({refusal.code})"
        ticket = NewTicket("payment", paid.id, fact.customer_id, "refund_refused", summary)
        open_tickets([ticket], by=_REACTION)


def _withdraw(changes: Sequence[SubscriptionChange], because: str, *, by: Actor) -> None:
    _move(changes, ChangeStatus.WITHDRAWN, because, by=by)
    unpaid = sorted(row.payment_id for row in changes if row.payment_id is not None)
    requesting.withdraw(unpaid, because="the change was withdrawn", by=by)
    ids = [row.id for row in changes]
    sending.revoke(TOLD_BY, CHANGE_SUBJECT, ids, because=because, by=by)


def _move(
    changes: Sequence[SubscriptionChange], to: ChangeStatus, because: str, *, by: Actor
) -> None:
    moves = [RowMove(row.id, row.status, to, because) for row in changes]
    CHANGE.move_many(SubscriptionChange, moves, by=by)
