"""Virtual accounts of the real sandbox: issued, paid into, asked about, told of."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from opsapp.insights.probing import run_probes
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering
from opsapp.notifications.models import Notice
from opsapp.payments import applying, charging
from opsapp.payments.models import Attempt, Deposit, GatewayEvent, Payment, UnmatchedMoney
from opsapp.tickets.models import Ticket
from tests.factories import payments as make, webhooks
from tests.factories.payments import BY
from tests.gateway_controls import GatewayControls

AMOUNT = 50_000


@dataclass(frozen=True, slots=True)
class IssuedAccount:
    payment_id: int
    attempt_id: int
    order_id: str


def issue(*, amount: int = AMOUNT) -> IssuedAccount:
    [payment_id] = make.make_payments(kind="virtual_account", amount=amount)
    return issue_for(payment_id)


def issue_for(payment_id: int) -> IssuedAccount:
    [attempt_id] = make.attempt_ids([payment_id])
    charging.execute_attempts([attempt_id], by=BY)
    [order_id] = make.order_ids([payment_id])
    return IssuedAccount(payment_id, attempt_id, order_id)


def look(account: IssuedAccount) -> None:
    """The next look at it, as if its time had come."""
    make.make_everything_due()
    charging.execute_attempts([account.attempt_id], by=BY)


def read_events() -> None:
    """What the job of the webhooks does, and the turns it asks for."""
    with transaction():
        stored = select(GatewayEvent.id).where(GatewayEvent.status == "stored")
        ids = list(db.session.scalars(stored.order_by(GatewayEvent.id)))
    applying.read_events(ids, by=BY)
    with transaction():
        waiting = list(db.session.scalars(select(Attempt.id).where(Attempt.status == "waiting")))
    charging.execute_attempts(waiting, by=BY)


def callback(gateway: GatewayControls, account: IssuedAccount, **changes: Any) -> webhooks.Message:
    """DEPOSIT_CALLBACK about the account as the gateway holds it now."""
    [held] = gateway.payments(account.order_id)
    body = {
        "createdAt": "2026-11-22T12:00:00.000000",
        "secret": held["secret"],
        "status": held["status"],
        "transactionKey": held["lastTransactionKey"],
        "orderId": account.order_id,
    }
    number = changes.pop("delivery", "delivery-1")
    return webhooks.toss(body | changes, delivery_id=f"{account.order_id}.{number}")


def stands(account: IssuedAccount) -> tuple[str, str, int]:
    """Status of attempt and payment, and what the payment has captured."""
    with transaction():
        payment = db.session.get_one(Payment, account.payment_id, populate_existing=True)
        attempt = db.session.get_one(Attempt, account.attempt_id, populate_existing=True)
        return attempt.status, payment.status, payment.captured_minor


def arrived(account: IssuedAccount) -> list[int]:
    with transaction():
        own = select(Deposit.amount_minor).where(Deposit.attempt_id == account.attempt_id)
        return list(db.session.scalars(own.order_by(Deposit.id)))


def cases(account: IssuedAccount) -> list[tuple[str, int, str]]:
    """Reason, amount and status of each."""
    with transaction():
        own = select(UnmatchedMoney.reason, UnmatchedMoney.amount_minor, UnmatchedMoney.status)
        rows = db.session.execute(
            own.where(UnmatchedMoney.attempt_id == account.attempt_id).order_by(UnmatchedMoney.id)
        )
        return [tuple(row) for row in rows]


def case_id(account: IssuedAccount) -> int:
    with transaction():
        own = select(UnmatchedMoney.id).where(UnmatchedMoney.attempt_id == account.attempt_id)
        return db.session.scalars(own).one()


def open_tickets() -> list[str]:
    with transaction():
        unresolved = select(Ticket.reason).where(Ticket.status != "resolved")
        return list(db.session.scalars(unresolved.order_by(Ticket.id)))


def violations() -> dict[str, tuple[str, ...]]:
    """What `opsapp check` would name, once the messages to customers are out."""
    with transaction():
        queued = list(db.session.scalars(select(Notice.id).where(Notice.status == "queued")))
    delivering.send_notices(queued, by=BY)
    with transaction():
        db.session.expire_all()
    return {row.id: row.examples for row in run_probes() if row.violations}
