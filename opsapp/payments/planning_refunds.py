"""Planning a refund: whether it may be, and every step that it will take. Reads only.

The act and the screen before it read the same plan, so that what is shown is what is done.
"""

from dataclasses import dataclass
from datetime import datetime

from opsapp.approvals import queries as approvals, rules as money_rules
from opsapp.approvals.rules import Terms
from opsapp.gateways.values import BankAccount
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.payments import finding_refunds, queries
from opsapp.payments.asking_accounts import holder_differs
from opsapp.payments.errors import (
    NotRefundable,
    OnlyWhole,
    RefundableChanged,
    RefundMonthOver,
    RefundTooLarge,
    RefundUnderWay,
)
from opsapp.payments.inquiring import require_certain
from opsapp.payments.limiting import RefundLimits, limits_of
from opsapp.payments.models import Attempt, Payment, UnmatchedMoney
from opsapp.payments.states import REFUNDABLE, RefundStatus

FORM_USED = "This form was used; open it again."
REASON_LENGTH_MAX = 200  # Toss: cancelReason


@dataclass(frozen=True, slots=True)
class RefundWish:
    """What is asked for. `request_id` comes with the form: the same one refunds once.

    `seen_refundable_minor` is what the screen showed; another figure now is refused. Without an
    `account` the customer is asked for one where the way of paying needs it. `is_by_hand`: a
    person of ours ordered this one, so that the money policy's limit and time to undo count;
    `whole` is then what goes back altogether, points too, if that is more than `amount`.
    """

    request_id: str
    amount: Money
    seen_refundable_minor: int
    reason: str
    account: BankAccount | None = None
    is_by_hand: bool = False
    whole: Money | None = None


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """`sent_from`: the gateway is asked not before; until then a held one can be taken back."""

    payment_id: int
    attempt: Attempt
    amount: Money
    left: Money  # refundable afterwards
    limits: RefundLimits
    starts_as: RefundStatus
    sent_from: datetime
    why_second_person: str  # of approvals.rules; "" if one person is enough
    terms: Terms
    held_there_minor: int  # by the gateway, under the attempt's key


def preview_refund(payment_id: int, wish: RefundWish, *, by: Actor) -> RefundPlan:
    """What request_refund would do now. Raises as it does, except for a form that was used."""
    require_readable(wish)
    return plan(finding_refunds.get_payment(payment_id), wish, by=by)


def plan(payment: Payment, wish: RefundWish, *, by: Actor) -> RefundPlan:
    """Of the payment's own money; the payment is locked for the act. Raises as request_refund."""
    _require_refundable(payment, wish)
    attempt = queries.get_succeeded_attempt(payment.id)
    limits = limits_of(attempt, paid_at=payment.paid_at)
    require_within(limits, wish.amount.minor, whole_minor=payment.captured_minor)
    left = payment.refundable - wish.amount
    return _plan(attempt, wish, limits, left, customer_id=payment.customer_id, by=by)


def plan_return(case: UnmatchedMoney, wish: RefundWish, *, by: Actor) -> RefundPlan:
    """Of money that stands beside its payment. Raises as request_return."""
    attempt = finding_refunds.get_attempt(case.attempt_id)
    limits = limits_of(attempt, paid_at=case.opened_at)
    whole_minor = finding_refunds.sum_held(attempt.id)
    require_within(limits, wish.amount.minor, whole_minor=whole_minor)
    left = Money(0, case.currency)
    return _plan(attempt, wish, limits, left, customer_id=case.customer_id, by=by)


def require_readable(wish: RefundWish) -> None:
    """Raises Invalid."""
    if not wish.reason.strip():
        raise Invalid(field="reason", reason="Say why; it is sent to the gateway as written.")
    if len(wish.reason) > REASON_LENGTH_MAX:
        raise Invalid(field="reason", reason=f"At most {REASON_LENGTH_MAX} characters.")
    if wish.amount.minor <= 0:
        raise Invalid(field="amount", reason="Must be above 0.")
    if not 8 <= len(wish.request_id) <= 100:
        raise Invalid(field="request_id", reason="Open the form again.")


def require_within(limits: RefundLimits, minor: int, *, whole_minor: int) -> None:
    """What the gateway offers. Raises RefundMonthOver, OnlyWhole."""
    if limits.is_month_over:
        raise RefundMonthOver
    if not limits.in_part and minor != whole_minor:
        raise OnlyWhole(field="amount", refundable=whole_minor)


def _plan(
    attempt: Attempt,
    wish: RefundWish,
    limits: RefundLimits,
    left: Money,
    *,
    customer_id: int,
    by: Actor,
) -> RefundPlan:
    if wish.account is not None and not limits.needs_account:
        raise Invalid(field="account", reason="This way of paying needs no bank account.")
    terms, now, why = approvals.get_policy().terms, clock.now(), ""
    if wish.is_by_hand:
        why = _why_not_alone(attempt.payment_id, wish, terms, by=by)
    is_held = wish.is_by_hand and terms.refund_undo_minutes > 0
    if why:
        starts_as = RefundStatus.AWAITING_APPROVAL
    elif _waits_for_account(wish, limits, customer_id):
        starts_as = RefundStatus.AWAITING_ACCOUNT
    else:
        starts_as = RefundStatus.HELD if is_held else RefundStatus.REQUESTED
    return RefundPlan(
        payment_id=attempt.payment_id,
        attempt=attempt,
        amount=wish.amount,
        left=left,
        limits=limits,
        starts_as=starts_as,
        sent_from=now + terms.refund_undo if starts_as is RefundStatus.HELD else now,
        why_second_person=why,
        terms=terms,
        held_there_minor=finding_refunds.sum_held(attempt.id),
    )


def _why_not_alone(payment_id: int, wish: RefundWish, terms: Terms, *, by: Actor) -> str:
    """A large refund in small parts is a large one: earlier parts by the same person count."""
    whole = wish.whole or wish.amount
    before = finding_refunds.sum_given_alone([payment_id], by=by).get(payment_id, 0)
    together = whole + Money(before, whole.currency)
    return money_rules.why_not_alone(terms, approvals.find_role(by), together)


def _waits_for_account(wish: RefundWish, limits: RefundLimits, customer_id: int) -> bool:
    """Until somebody names one, in the customer's own name."""
    if not limits.needs_account:
        return False
    return wish.account is None or holder_differs(wish.account, customer_id=customer_id)


def _require_refundable(payment: Payment, wish: RefundWish) -> None:
    require_certain(payment.id)
    if payment.status not in REFUNDABLE:
        raise NotRefundable(reason=f"it is {payment.status}")
    if wish.amount.currency != payment.currency:
        raise Invalid(field="currency", reason=f"The payment is in {payment.currency}.")
    attempt_id = queries.get_succeeded_attempt(payment.id).id
    other = queries.find_open_refund(payment.id) or finding_refunds.find_open_of(attempt_id)
    if other is not None:
        raise RefundUnderWay(amount=other.amount_minor, by=other.requested_by)
    refundable = payment.refundable.minor
    if wish.seen_refundable_minor != refundable:
        raise RefundableChanged(refundable=refundable, seen=wish.seen_refundable_minor)
    if wish.amount.minor > refundable:
        raise RefundTooLarge(field="amount", refundable=refundable, wished=wish.amount.minor)
