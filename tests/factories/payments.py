"""Payments made through the real verbs: a customer with a billing key of the real sandbox."""

from sqlalchemy import delete, select, update

from opsapp.customers import issuing, registering
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.requesting import PaymentOrder, request_payments
from opsapp.routing.models import GatewayCircuit

BY = Actor("cli", "test")


def make_customer(ref: str = "", *, name: str = "김래원", locale: str = "ko") -> int:
    ref = ref or new_ref("c")
    wish = registering.NewCustomer(ref, name, f"{ref}@example.com", "010-0000-1234", locale)
    with transaction():
        return registering.register_customers([wish], by=BY)[ref]


def make_method(customer_id: int, *, kind: str = "card") -> int:
    auth_key = None if kind == "virtual_account" else f"{kind}.{new_ref('auth')}"
    with transaction():
        [method_id] = add_methods([NewMethod(customer_id, kind, auth_key=auth_key)], by=BY)
    issuing.issue_billing_keys([method_id], by=BY)
    return method_id


def make_payments(count: int = 1, *, amount: int = 9900, kind: str = "card") -> list[int]:
    """Payments of one customer with a first attempt each; gives back their ids."""
    customer_id = make_customer()
    method_id = make_method(customer_id, kind=kind)
    subject_id = customer_id * 1000
    orders = [
        PaymentOrder(
            "order", subject_id + n, customer_id, method_id, "구독 결제", Money(amount, "KRW")
        )
        for n in range(count)
    ]
    with transaction():
        return sorted(request_payments(orders, by=BY).values())


def attempt_ids(payment_ids: list[int]) -> list[int]:
    with transaction():
        found = select(Attempt.id).where(Attempt.payment_id.in_(payment_ids)).order_by(Attempt.id)
        return list(db.session.scalars(found))


def order_ids(payment_ids: list[int]) -> list[str]:
    with transaction():
        found = select(Attempt.gateway_order_id).where(Attempt.payment_id.in_(payment_ids))
        return list(db.session.scalars(found.order_by(Attempt.id)))


def statuses(model: type = Attempt) -> list[str]:
    with transaction():
        return list(db.session.scalars(select(model.status).order_by(model.id)))


def make_everything_due() -> None:
    """Leases, back-offs and planned times are over, and no gateway rests."""
    with transaction():
        db.session.execute(delete(GatewayCircuit))
        for model in (Attempt, Refund):
            db.session.execute(
                update(model).values(leased_until=None, due_at=clock.now(), hinted_at=None)
            )


def payment(payment_id: int) -> Payment:
    with transaction():
        found = db.session.get_one(Payment, payment_id, populate_existing=True)
        db.session.expunge(found)
        return found
