"""One gateway hangs: the other's payments go on, and the first comes back by itself."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from redis import Redis

from opsapp.customers import issuing
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.customers.queries import get_customer_keys
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.money import Money
from opsapp.payments import charging
from opsapp.payments.requesting import PaymentOrder, request_payments
from opsapp.settings import Settings, current, use
from tests.factories import payments as make
from tests.fakes.servers import PortOneControls, portone_double
from tests.gateway_controls import GatewayControls
from tests.waiting import until

BY = Actor("cli", "test")
HANGING_MS = 6_000  # three times the timeout
COUNT = 15


@pytest.fixture(scope="module")
def double() -> Iterator[str]:
    with portone_double() as url:
        yield url


@pytest.fixture
def settings(settings: Settings, double: str) -> Settings:
    """Two gateways, of which one rests only a second."""
    merchant = settings.toss_secret_key.get_secret_value()
    two = {
        "portone_url": double,
        "portone_secret": merchant,
        "portone_store_id": "store-test",
        "portone_channels": "card=channel-card",
        "gateway_rest_s": 1,
    }
    return Settings(**settings.model_dump() | two)


@pytest.fixture
def gateway(sandbox_url: str) -> Iterator[GatewayControls]:
    controls = GatewayControls(sandbox_url)
    controls.clear()
    yield controls
    controls.clear()


@pytest.fixture
def start(
    app: Flask, redis: Redis, environment: Callable[[], dict[str, str]]
) -> Iterator[Callable[[str], None]]:
    children: list[subprocess.Popen[bytes]] = []

    def run(kind: str) -> None:
        command = [sys.executable, "-m", "workers", kind]
        child = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
        children.append(child)

    yield run
    for child in children:
        child.kill()
        child.wait(10)


def make_portone_payments(settings: Settings, count: int) -> list[int]:
    customer_id = make.make_customer()
    with transaction():
        key = get_customer_keys([customer_id])[customer_id].customer_key
    controls = PortOneControls(settings.portone_url, settings.portone_secret.get_secret_value())
    wish = NewMethod(customer_id, "card", "portone", auth_key=controls.billing_key(key))
    with transaction():
        [method_id] = add_methods([wish], by=BY)
    issuing.issue_billing_keys([method_id], by=BY)
    orders = [
        PaymentOrder(
            "order", customer_id * 1000 + n, customer_id, method_id, "구독", Money(9900, "KRW")
        )
        for n in range(count)
    ]
    with transaction():
        return sorted(request_payments(orders, by=BY).values())


def count_paid(owner: psycopg.Connection, payments: list[int]) -> int:
    row = owner.execute(
        "SELECT count(*) FROM payments WHERE status = 'paid' AND id = ANY(%s)", [payments]
    ).fetchone()
    return int(row[0]) if row else 0


def circuit(owner: psycopg.Connection) -> Any:
    row = owner.execute("SELECT status FROM gateway_circuits WHERE gateway_name = 'toss'")
    return (row.fetchone() or ("closed",))[0]


def test_while_one_gateway_hangs_the_other_is_paid_and_the_first_comes_back_by_itself(
    owner, gateway, settings, start
):
    at_toss, at_portone = make.make_payments(COUNT), make_portone_payments(settings, COUNT)
    gateway.faults(latency_ms={"fixed": HANGING_MS})
    for kind in ("relay", "charges_bulk.toss", "charges_bulk.portone"):
        start(kind)
    until(lambda: count_paid(owner, at_portone) == COUNT)
    until(lambda: circuit(owner) in ("open", "probing"))
    assert count_paid(owner, at_toss) == 0
    later = make_portone_payments(settings, COUNT)
    until(lambda: count_paid(owner, later) == COUNT)
    assert circuit(owner) != "closed"
    gateway.clear()
    # Looks at uncertain charges are further apart than a test is long.
    owner.execute("UPDATE attempts SET due_at = now() WHERE status = 'unknown'")
    until(lambda: count_paid(owner, at_toss) == COUNT)
    assert circuit(owner) == "closed"
    states = owner.execute(
        "SELECT to_state FROM audit_entries WHERE subject_type = 'gateway_circuit' ORDER BY id"
    ).fetchall()
    assert (states[0], states[-1]) == (("open",), ("closed",))
    held = gateway.payments(*make.order_ids(at_toss))
    assert [each["status"] for each in held] == ["DONE"] * COUNT


def test_a_worker_for_a_gateway_that_is_not_installed_says_so(app, environment):
    command = [sys.executable, "-m", "workers", "charges.nobody"]
    done = subprocess.run(
        command, env=os.environ | environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "charges.toss, charges.portone" in done.stderr


def test_answers_that_are_good_but_slow_open_the_circuit_too(owner, app, gateway):
    quick = current().model_copy(update={"gateway_slow_s": 0.2})
    use(quick)
    payments = make.make_payments(12)
    gateway.faults(latency_ms={"fixed": 400})
    charging.execute_attempts(make.attempt_ids(payments), by=BY)
    assert count_paid(owner, payments) == 12
    assert circuit(owner) == "open"
