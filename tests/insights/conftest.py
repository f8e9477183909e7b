"""A shop on an ordinary day whose books are right, and somebody who spoils them."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, update

from opsapp.audit import sealing
from opsapp.insights.probing import Row, run_probes
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering
from opsapp.notifications.models import Notice
from opsapp.payments import charging
from opsapp.payments.models import Attempt
from tests.factories.payments import BY, attempt_ids, make_payments
from tests.factories.scenes import Scene, furnish
from tests.factories.subscriptions import make_subscription, pass_time, renew
from tests.gateway_controls import GatewayControls
from tests.payments.conftest import gateway as gateway


@pytest.fixture
def shop(app: Flask, gateway: GatewayControls) -> Scene:
    """Every state of the scene, a deposit that arrived, and a subscription in trouble."""
    _fail_twice(gateway)
    scene = furnish(gateway)
    _charge_all()  # somebody else pays after the subscription in trouble got its ticket
    _receive_deposit(gateway)
    with transaction():
        sealing.seal()
    sealing.anchor()
    return scene


@pytest.fixture
def spoil(owner: psycopg.Connection) -> Callable[..., None]:
    """Change rows as a superuser, past triggers and foreign keys."""
    owner.execute("SET session_replication_role = replica")

    def run(*statements: str) -> None:
        for statement in statements:
            assert owner.execute(statement).rowcount != 0, f"changed nothing: {statement}"

    return run


def find(invariant: str) -> Row:
    with transaction():
        db.session.expire_all()
    [row] = [row for row in run_probes() if row.id == invariant]
    return row


def _receive_deposit(gateway: GatewayControls) -> None:
    [payment_id] = make_payments(kind="virtual_account")
    charging.execute_attempts(attempt_ids([payment_id]), by=BY)
    with transaction():
        wanted = select(Attempt.gateway_order_id).where(Attempt.payment_id == payment_id)
        order_id = db.session.scalars(wanted).one()
    gateway.deposit(orderId=order_id)
    with transaction():
        db.session.execute(
            update(Attempt).where(Attempt.payment_id == payment_id).values(due_at=clock.now())
        )
    charging.execute_attempts(attempt_ids([payment_id]), by=BY)


def _fail_twice(gateway: GatewayControls) -> None:
    make_subscription()
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    renew()
    _charge_all()
    pass_time(timedelta(days=1))
    _charge_all()
    gateway.clear()
    with transaction():
        waiting = list(db.session.scalars(select(Notice.id)))
    delivering.send_notices(waiting, by=BY)


def _charge_all() -> None:
    with transaction():
        ready = list(db.session.scalars(select(Attempt.id).where(Attempt.status == "ready")))
    charging.execute_attempts(ready, by=BY)
