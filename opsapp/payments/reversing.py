"""Reversing: money that we held for certain turned out not to be there."""

from sqlalchemy import func

from opsapp.gateways.values import FailureClass
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import SALES, UNMATCHED, gateway_clearing
from opsapp.payments import closing, depositing, queries
from opsapp.payments.accepting import as_fact
from opsapp.payments.events import DepositsReversed, PaymentsFailed
from opsapp.payments.models import Attempt, Deposit, Payment, UnmatchedMoney
from opsapp.payments.states import (
    ATTEMPT,
    PAYMENT,
    UNMATCHED as LIFE,
    AttemptStatus,
    PaymentStatus,
    UnmatchedStatus,
)
from opsapp.payments.vetoing import find_vetoed
from opsapp.tickets.opening import NewTicket, open_tickets

BANK_TOOK_IT_BACK = "the bank took the deposit back"
REVERSED = "deposit_reversed"
DISAGREES = "gateway_disagrees"


@within_transaction
def reverse_deposit(attempt_id: int, *, deposit_key: str | None, by: Actor) -> None:
    """The bank has taken back all that had arrived; an inquiry has confirmed it.

    The payment waits for its deposit again, as long as nothing of it was given back. If something
    was, or is on its way, the payment stays and what is missing stands as a debit of the attempt
    on the account of unmatched money: a person claims it. `deposit_key` names the reversal where
    the gateway does; said twice it changes nothing.
    """
    payment = queries.lock_payment(queries.get_payment_of(attempt_id).id)
    attempt = queries.lock_attempt(attempt_id)
    going = queries.sum_cases([attempt_id], but=(UnmatchedStatus.OPEN,)).get(attempt_id, 0)
    deposits = queries.list_deposits([attempt_id])
    taken = sum(row.amount_minor for row in deposits) - going
    if taken <= 0:
        return
    deposit_id = _write_reversal(attempt, -taken, deposit_key, number=len(deposits) + 1)
    open_cases = _end_cases(attempt, by=by)
    captured = min(taken - open_cases, payment.captured_minor)
    is_free = not (payment.refunded_minor or payment.refund_pending_minor)
    if attempt.status != AttemptStatus.SUCCEEDED:
        captured, is_free = 0, False
    set_aside = taken - captured
    kind, account = (REVERSED, SALES) if is_free else ("deposit_missing", UNMATCHED)
    lost = ((kind, account, captured), ("unmatched_reversed", UNMATCHED, set_aside))
    clearing = gateway_clearing(attempt.gateway_name)
    post(
        [
            Transfer(
                name,
                debit,
                clearing,
                Money(minor, payment.currency),
                "deposit",
                deposit_id,
                payment.id,
            )
            for name, debit, minor in lost
            if minor
        ]
    )
    if captured and is_free:
        _wait_again(payment, attempt, by=by)
    if captured:
        _tell(payment, REVERSED, f"{BANK_TOOK_IT_BACK} ({Money(taken, payment.currency)})", by=by)


@within_transaction
def reverse_approval(attempt_id: int, *, because: str, by: Actor) -> None:
    """A person had found it approved; the gateway has shown that no money moved.

    What was refunded of it, or is on its way back, is left to a person: only a ticket. A second
    time changes nothing.
    """
    payment = queries.lock_payment(queries.get_payment_of(attempt_id).id)
    attempt = queries.lock_attempt(attempt_id)
    if attempt.status != AttemptStatus.SUCCEEDED:
        return
    if queries.list_deposits([attempt_id]):
        reverse_deposit(attempt_id, deposit_key=None, by=by)
        return
    if payment.refunded_minor or payment.refund_pending_minor:
        _tell(payment, DISAGREES, because, by=by)
        return
    amount = Money(payment.captured_minor, payment.currency)
    attempt.failure_class, attempt.failure_code = FailureClass.GATEWAY.value, None
    ATTEMPT.move(attempt, AttemptStatus.DECLINED, because=because, by=by)
    payment.captured_minor, payment.paid_at = 0, None
    payment.failure_class, payment.failure_code = FailureClass.GATEWAY.value, None
    PAYMENT.move(payment, PaymentStatus.FAILED, because=because, by=by)
    post(
        [
            Transfer(
                "approval_reversed",
                SALES,
                gateway_clearing(attempt.gateway_name),
                amount,
                "attempt",
                attempt.id,
                payment.id,
            )
        ]
    )
    _tell(payment, DISAGREES, because, by=by)
    announce(PaymentsFailed((as_fact(payment, attempt),)))


def _write_reversal(attempt: Attempt, minor: int, deposit_key: str | None, *, number: int) -> int:
    named = [deposit_key] if deposit_key else []
    is_new = bool(named) and (attempt.gateway_name, deposit_key) not in queries.list_deposit_keys(
        named
    )
    row = {
        "gateway_name": attempt.gateway_name,
        "deposit_key": deposit_key if is_new else f"{attempt.gateway_key}#{attempt.id}.{number}",
        "attempt_id": attempt.id,
        "payment_id": attempt.payment_id,
        "amount_minor": minor,
        "currency": queries.get_payment_of(attempt.id).currency,
        "depositor": None,
    }
    [written] = bulk_insert(Deposit, [row], returning=("id",))
    return int(written.id)


def _end_cases(attempt: Attempt, *, by: Actor) -> int:
    """Cases that nobody had decided yet are gone with their money; returns how much it was."""
    cases = queries.lock_open_cases(attempt.id)
    now = db.session.scalars(func.ops_now()).one()
    moves = [
        RowMove(
            row.id, row.status, UnmatchedStatus.RETURNED, BANK_TOOK_IT_BACK, also={"ended_at": now}
        )
        for row in cases
    ]
    LIFE.move_many(UnmatchedMoney, moves, by=by)
    ids = [row.id for row in cases]
    depositing.resolve_cases(ids, because=BANK_TOOK_IT_BACK, by=by)
    return sum(row.amount_minor for row in cases)


def _wait_again(payment: Payment, attempt: Attempt, *, by: Actor) -> None:
    """The account may be paid into again until its deadline, unless nobody wants that any more."""
    attempt.ended_at, attempt.turns = None, 0
    attempt.due_at, attempt.hinted_at = db.session.scalars(func.ops_now()).one(), None
    ATTEMPT.move(attempt, AttemptStatus.WAITING, because=BANK_TOOK_IT_BACK, by=by)
    payment.captured_minor, payment.paid_at = 0, None
    PAYMENT.move(payment, PaymentStatus.AWAITING_DEPOSIT, because=BANK_TOOK_IT_BACK, by=by)
    if find_vetoed([(payment.subject_type, payment.subject_id)]):
        db.session.flush()
        closing.close_accounts([payment.id], because=BANK_TOOK_IT_BACK, by=by)
    announce(DepositsReversed((as_fact(payment, attempt),)))


def _tell(payment: Payment, reason: str, summary: str, *, by: Actor) -> None:
    wish = NewTicket("payment", payment.id, payment.customer_id, reason, summary)
    open_tickets([wish], by=by)
