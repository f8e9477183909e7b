"""Whoever holds a billing key and the customer's name at the gateway can charge the card.

The two never stand together in clear, and neither alone, wherever anything is kept or shown.
"""

import re

import psycopg
import pytest

from opsapp import create_app
from opsapp.customers import claiming, deleting, issuing, payment_methods, queries
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.gateways.toss import TossGateway
from opsapp.insights import listing_people
from opsapp.kernel import jobs, turns
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.payments import charging
from opsapp.payments.models import Payment
from opsapp.reactions import WORK
from opsapp.staff.rules import Role
from tests.console.conftest import Visitor
from tests.factories import payments as make
from tests.factories.staff import make_account

WORKER = Actor("worker", "test")
STAFF = Actor("staff", "1")


@pytest.fixture
def house(settings):
    """The application with an administrator, its context open."""
    application = create_app(settings)
    with application.app_context():
        make_account(Role.ADMIN)
        yield application
        db.session.remove()
        db.engine.dispose()


def secrets_of(customer_id: int, *method_ids: int) -> list[str]:
    """The customer's name at the gateway, and the keys of the methods."""
    with transaction():
        keys = queries.get_charge_keys(method_ids)
        customer = listing_people.get_customer(customer_id)
        context = queries.customer_key_context(customer.customer_ref)
        name = unseal(customer.customer_key_sealed, context=context)
    return [name, *(each.billing_key for each in keys.values())]


def pay(customer_id: int, method_id: int, subject: int) -> None:
    order = make.PaymentOrder(
        "order", subject, customer_id, method_id, "주문", make.Money(9900, "KRW")
    )
    with transaction():
        [payment_id] = make.request_payments([order], by=STAFF).values()
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)


def everything_goes_wrong(gateway, monkeypatch, customer_id: int, method_id: int) -> None:
    """Approved, declined, lost, unreadable, misconfigured, and an adapter that breaks."""
    pay(customer_id, method_id, 1)
    for n, faults in enumerate(
        (
            {"declines": {"INVALID_STOPPED_CARD": 1.0}},
            {"declines": {"INVALID_API_KEY": 1.0}},
            {"lost_after": 1.0},
            {"errors_500": 1.0},
        ),
        start=2,
    ):
        gateway.faults(**faults)
        pay(customer_id, method_id, n)
        gateway.clear()

    async def broken(self, request):
        raise ValueError("the adapter broke")

    with monkeypatch.context() as patched:
        patched.setattr(TossGateway, "_charge", broken)
        pay(customer_id, method_id, 9)
    make.make_everything_due()
    with transaction():
        for work in WORK:
            turns.forget_hints(work)
            turns.wake(work, rows_max=100, lane="toss" if work.lane else "")
    jobs.deliver()


def database(settings) -> str:
    with psycopg.connect(settings.database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return "\n".join(
            row[0]
            for (table,) in tables.fetchall()
            for row in connection.execute(f"SELECT t::text FROM {table} t")  # noqa: S608 - a table
        )


def pages(house, customer_id: int, payment_ids: list[int]) -> str:
    visitor = Visitor(house.test_client())
    visitor.sign_in("admin@example.com")
    paths = [f"/console/customers/{customer_id}", "/console/audit/", "/console/tickets/"]
    paths += ["/console/jobs/", "/console/payments/", "/metrics"]
    paths += [f"/console/payments/{payment_id}" for payment_id in payment_ids]
    return "\n".join(visitor.get(path).text for path in paths)


def test_no_key_stands_in_clear_in_tables_jobs_lines_or_pages(
    house, settings, gateway, monkeypatch, capfd
):
    customer_id = make.make_customer()
    first, second = (make.make_method(customer_id) for _ in range(2))
    secrets = secrets_of(customer_id, first, second)
    everything_goes_wrong(gateway, monkeypatch, customer_id, first)
    with transaction():
        deleting.delete(second, by=STAFF)
        payment_methods.block(first, because="분실 신고", by=STAFF)
    gateway.faults(errors_500=1.0)
    issuing.issue_billing_keys([second], by=WORKER)
    gateway.clear()
    with transaction():
        payment_ids = list(db.session.scalars(make.select(Payment.id)))
    db.session.remove()
    lines = capfd.readouterr()
    kept = {
        "database": database(settings),
        "redis": "\n".join(text for _, text in jobs.read_everything()),
        "lines": lines.out + lines.err,
        "pages": pages(house, customer_id, payment_ids),
    }
    assert "the adapter broke" in kept["lines"], "the exception was looked at too"
    assert all(len(text) > 200 for text in kept.values()), {k: len(v) for k, v in kept.items()}
    assert len(payment_ids) == 6
    for place, text in kept.items():
        found = [secret[:8] for secret in secrets if secret in text]
        assert found == [], place
        # Nor as the bytes of a column that somebody forgot to seal.
        assert not [secret for secret in secrets if secret.encode().hex() in text], place


def test_what_is_in_a_workers_hand_does_not_show_its_keys_when_it_is_printed(house):
    customer_id = make.make_customer()
    method_id = make.make_method(customer_id)
    name, billing_key = secrets_of(customer_id, method_id)
    auth_key = f"card.{new_ref('auth')}"
    with transaction():
        [fresh] = add_methods([NewMethod(customer_id, "card", auth_key=auth_key)], by=STAFF)
        deleting.delete(method_id, by=STAFF)
    with transaction():
        printed = repr(claiming.claim([method_id, fresh], by=WORKER))
    assert printed.count("Claim(") == 2
    assert not re.search("|".join(map(re.escape, (name, billing_key, auth_key))), printed)


def test_a_charge_in_a_workers_hand_does_not_show_its_keys_when_it_is_printed(house):
    customer_id = make.make_customer()
    method_id = make.make_method(customer_id)
    name, billing_key = secrets_of(customer_id, method_id)
    order = make.PaymentOrder("order", 1, customer_id, method_id, "주문", make.Money(9900, "KRW"))
    with transaction():
        [payment_id] = make.request_payments([order], by=STAFF).values()
    ids = make.attempt_ids([payment_id])
    with transaction():
        [claim] = charging._claim(ids, by=WORKER)
        keys = queries.get_charge_keys([method_id])
    assert claim.request.billing_key == billing_key
    assert name.encode() in claim.request.body
    for printed in (repr(claim), repr(keys)):
        assert billing_key not in printed
        assert name not in printed
