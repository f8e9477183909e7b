"""155 messages delivered 309 times, shuffled, by 8 threads, while 2 workers look into them."""

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import and_, or_, select, update

from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.payments import charging
from opsapp.payments.models import Attempt, GatewayEvent, Refund
from opsapp.payments.states import EVENT_OPEN
from tests import waiting
from tests.factories import accounts, payments as make, webhooks
from tests.payments.conftest import gateway as gateway
from tests.webhooks.looking import BY, work_once

CARDS, ACCOUNTS = 30, 30
DELIVERERS, WORKERS = 8, 2
ROOT = Path(__file__).parents[2]
MESSAGES, DELIVERIES = 155, 309
AMOUNT = 9_900


class Shop:
    """Sixty payments, what happens to them at the gateway, and what the gateway says of it."""

    def __init__(self, app, gateway, secret_key):
        self.app, self.gateway, self.secret_key = app, gateway, secret_key
        self.payment_ids = make.make_payments(CARDS) + make.make_payments(
            ACCOUNTS, kind="virtual_account"
        )
        for _ in range(3):  # a busy machine may find a lease too old to send
            charging.execute_attempts(make.attempt_ids(self.payment_ids), by=BY)
            make.make_everything_due()
        self.order_ids = make.order_ids(self.payment_ids)
        self.cards, self.accounts = self.order_ids[:CARDS], self.order_ids[CARDS:]
        self.numbers = count(1)

    def payment(self, order_id):
        return self.gateway.payments(order_id)[0]

    def says(self, order_id, *, is_callback=False):
        payment = self.payment(order_id)
        body = {"eventType": "PAYMENT_STATUS_CHANGED", "data": payment}
        if is_callback:
            body = {"orderId": order_id, "status": payment["status"], "secret": payment["secret"]}
        return webhooks.toss(body, delivery_id=f"delivery-{next(self.numbers)}")

    def cancel(self, order_id, minor=None):
        wish = {"cancelReason": "콘솔 취소"} | ({} if minor is None else {"cancelAmount": minor})
        path = f"/v1/payments/{self.payment(order_id)['paymentKey']}/cancel"
        self.gateway._call("POST", path, wish, secret_key=self.secret_key)

    def deliver(self, messages):
        """From 8 threads; gives back how long each answer took."""
        left, took = list(messages), []

        def post():
            client = self.app.test_client()
            while left:
                try:
                    message = left.pop()
                except IndexError:
                    return
                began = time.perf_counter()
                assert message.send(client).status_code == 200
                took.append(time.perf_counter() - began)

        with ThreadPoolExecutor(DELIVERERS) as threads:
            for deliverer in [threads.submit(post) for _ in range(DELIVERERS)]:
                deliverer.result()
        return took

    def drain(self):
        """Nothing waits any more, not even for its planned time."""
        waiting.until(self._is_idle)

    def _is_idle(self):
        is_open = GatewayEvent.status.in_([status.value for status in EVENT_OPEN])
        is_asked = or_(
            Attempt.status.in_(["inflight", "unknown"]),
            and_(Attempt.status == "waiting", Attempt.due_at <= clock.now()),
        )
        with transaction():
            put_off = update(GatewayEvent).where(is_open, GatewayEvent.due_at > clock.now())
            db.session.execute(put_off.values(due_at=clock.now()))
        work_once()
        with transaction():
            left = (
                select(GatewayEvent.id).where(is_open).union_all(select(Attempt.id).where(is_asked))
            )
            return not db.session.execute(left).all()


@contextmanager
def workers(environment, number):
    """Processes of their own, as in production."""
    with ExitStack() as stack:
        command = [sys.executable, "-m", "tests.webhooks.looking"]
        running = [
            stack.enter_context(
                subprocess.Popen(
                    command, env=environment(), cwd=ROOT, text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )
            )
            for _ in range(number)
        ]  # fmt: skip
        assert [process.stdout.readline() for process in running] == ["ready\n"] * number
        yield
        for process in running:
            process.stdin.close()
        assert [process.wait(60) for process in running] == [0] * number


@pytest.fixture
def two_workers(shop, environment):
    with workers(environment, WORKERS):
        yield


@pytest.fixture
def shop(app, gateway, settings):
    return Shop(app, gateway, settings.toss_secret_key.get_secret_value())


def test_however_often_and_in_whatever_order_messages_come_all_totals_are_exact(
    shop, owner, two_workers
):
    chance = random.Random(155)
    first = [shop.says(order_id, is_callback=True) for order_id in shop.accounts]
    first += [shop.says(order_id) for order_id in shop.cards]
    for order_id in shop.accounts[:24]:
        shop.gateway.deposit(orderId=order_id)
        first += [shop.says(order_id, is_callback=True), shop.says(order_id)]
    again = chance.choices(first, k=74)
    took = shop.deliver(_shuffled(first + again, chance))
    shop.drain()

    second = []
    for order_id in shop.accounts[:8]:
        shop.gateway.deposit(orderId=order_id, kind="reversed")
        second.append(shop.says(order_id, is_callback=True))
    for number, order_id in enumerate(shop.cards[:18]):
        shop.cancel(order_id, minor=1_000 + number if number < 12 else None)
        second.append(shop.says(order_id))
    for order_id in shop.accounts[24:27]:
        shop.cancel(order_id)
        second += [shop.says(order_id, is_callback=True), shop.says(order_id)]
    second += [shop.says(order_id) for order_id in chance.sample(shop.order_ids, 15)]
    assert len(first) + len(second) == MESSAGES
    again = chance.choices(first + second, k=DELIVERIES - MESSAGES - 74)
    took += shop.deliver(_shuffled(second + again, chance))
    shop.drain()

    assert len(took) == DELIVERIES
    assert owner.execute("SELECT count(*), sum(repeats + 1) FROM gateway_events").fetchone() == (
        MESSAGES,
        DELIVERIES,
    )
    assert _ours(owner) == _theirs(shop)
    assert _statuses(owner) == {
        "paid": 12 + 16,
        "partly_refunded": 12,
        "refunded": 6,
        "awaiting_deposit": 8 + 3,
        "failed": 3,
    }
    assert owner.execute(
        "SELECT count(*) FROM gateway_events WHERE status NOT IN ('applied', 'ignored')"
    ).fetchone() == (0,)
    assert make.statuses(Refund) == ["succeeded"] * 18
    assert accounts.violations() == {}


def _shuffled(messages, chance):
    chance.shuffle(messages)
    return messages


def _statuses(owner):
    return dict(owner.execute("SELECT status, count(*) FROM payments GROUP BY 1").fetchall())


def _ours(owner):
    captured, refunded = owner.execute(
        "SELECT sum(captured_minor), sum(refunded_minor) FROM payments"
    ).fetchone()
    [deposited] = owner.execute("SELECT sum(amount_minor) FROM deposits").fetchone()
    return int(captured), int(refunded), int(deposited)


def _theirs(shop):
    """What the gateway's own books hold in the end."""
    kept = ("DONE", "PARTIAL_CANCELED")
    taken = refunded = deposited = 0
    for order_id in shop.order_ids:
        payment = shop.payment(order_id)
        is_taken = payment["status"] in kept or bool(payment["approvedAt"] and payment["cancels"])
        taken += payment["totalAmount"] * is_taken
        refunded += (payment["totalAmount"] - payment["balanceAmount"]) * is_taken
        deposited += payment["totalAmount"] * (is_taken and order_id in shop.accounts)
    return taken, refunded, deposited


def test_the_door_answers_within_a_second_while_the_gateway_hangs(shop, environment):
    messages = [shop.says(order_id) for order_id in shop.order_ids]
    shop.gateway.faults(latency_ms={"fixed": 30_000})
    with workers(environment, 1):
        took = shop.deliver(messages)
    assert len(took) == len(messages)
    assert sorted(took)[int(len(took) * 0.99)] < 1
    assert set(make.statuses(GatewayEvent)) <= {"stored", "reading", "applied"}
