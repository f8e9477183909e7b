"""Cash receipts as tests make and read them."""

from sqlalchemy import select, update

from opsapp.cash_receipts import asking, issuing
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.rules import read_registration
from opsapp.gateways.values import BankAccount
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import refunding
from opsapp.payments.models import Refund
from opsapp.payments.refunding import RefundWish
from tests.factories import payments as make

BY = Actor("staff", "1")
WORKER = Actor("worker", "test")
PHONE = "010-2345-6789"
BACK_TO = BankAccount("20", "1002123456789", "김래원")


def ask(payment_id: int, *, kind: str = "income_deduction", number: str = PHONE) -> int:
    with transaction():
        return asking.ask(payment_id, read_registration(kind, number), by=BY)


def take_a_turn() -> None:
    """Of every receipt that is due."""
    with transaction():
        rows = list(db.session.scalars(select(CashReceipt.id).order_by(CashReceipt.id)))
    issuing.execute_receipts(rows, by=WORKER)


def make_due() -> None:
    with transaction():
        now = {"due_at": clock.now(), "leased_until": None, "hinted_at": None}
        db.session.execute(update(CashReceipt).values(now))


def of(payment_id: int) -> CashReceipt:
    with transaction():
        wanted = select(CashReceipt).where(CashReceipt.payment_id == payment_id)
        found = db.session.scalars(wanted.order_by(CashReceipt.id.desc()).limit(1)).one()
        db.session.refresh(found)
        db.session.expunge(found)
        return found


def refund(payment_id: int, minor: int) -> None:
    """Requested and made, with an account where the way of paying needs one."""
    payment = make.payment(payment_id)
    wish = RefundWish(
        new_ref("form"),
        Money(minor, "KRW"),
        payment.refundable.minor,
        "고객 요청",
        account=BACK_TO if payment.method_kind == "virtual_account" else None,
    )
    with transaction():
        refunding.request_refund(payment_id, wish, by=BY)
    make.make_everything_due()
    with transaction():
        ids = list(db.session.scalars(select(Refund.id).where(Refund.payment_id == payment_id)))
    refunding.execute_refunds(ids, by=WORKER)
