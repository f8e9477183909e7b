"""A bad day of every way to pay, for screens: by the real verbs and the shopper's pages."""

import json
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask
from sqlalchemy import select, update

from opsapp.checkout.models import Checkout
from opsapp.customers import linking
from opsapp.customers.payment_methods import block, mark_expired
from opsapp.failures import noting
from opsapp.failures.models import FailureCode, UnmappedCode
from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import applying, asking_accounts, charging, depositing, refunding
from opsapp.payments.models import Attempt, GatewayEvent, UnmatchedMoney
from opsapp.payments.refunding import RefundWish
from opsapp.routing.editing import NewRoute, add_route
from opsapp.routing.tallying import tally
from tests.factories import payments as make, receipts, subscriptions
from tests.factories.checkouts import BY, WORKER, Shopper
from tests.factories.points import have_points
from tests.factories.scenes import Scene
from tests.gateway_controls import GatewayControls

SECOND_GATEWAY = {  # nothing is sent there
    "portone_url": "http://127.0.0.1:9",
    "portone_secret": "portone-secret",
    "portone_store_id": "store-test",
    "portone_channels": "card=channel-1",
}
HUNG = Answer(Outcome.UNKNOWN, code="READ_TIMEOUT", failure_class=FailureClass.GATEWAY)


@dataclass(frozen=True, slots=True)
class BadDay:
    """Addresses of shoppers' pages and ids of staff's, by what stands there."""

    links: dict[str, str]
    window: str
    refund_account: str
    awaited: int
    deposited: int
    transferred: int
    cases: dict[str, int]
    stuck: int
    events: list[int]
    failure_code: int
    unmapped: int
    customer: int
    checkout: int


def paths_of_ways_to_pay(day: BadDay) -> dict[str, str]:
    """Of the console, where its things stand."""
    codes = "/console/settings/failure-codes"
    return {
        "orders": "/console/orders/",
        "order-new": f"/console/orders/customers/{day.customer}/links/new",
        "order-link": f"/console/orders/links/{day.checkout}",
        "deposits": "/console/deposits/",
        "deposits-unmatched": "/console/deposits/?tab=unmatched",
        "deposit-over": f"/console/deposits/{day.cases['over']}",
        "deposit-late": f"/console/deposits/{day.cases['late']}",
        "return": f"/console/refunds/returns/{day.cases['over']}",
        "uncertain": "/console/payments/uncertain/",
        "uncertain-decide": f"/console/payments/uncertain/attempt/{day.stuck}?look=yes",
        "webhooks": "/console/webhooks/",
        "webhook": f"/console/webhooks/{day.events[0]}",
        "failure-codes": f"{codes}/",
        "failure-code": f"{codes}/{day.failure_code}",
        "failure-code-unknown": f"{codes}/review/{day.unmapped}",
        "cash-receipts": "/console/cash-receipts/",
        "customer-methods": f"/console/customers/{day.customer}",
        "points": "/console/points/",
        "points-customer": f"/console/points/customers/{day.customer}",
        "points-adjustments": "/console/points/adjustments",
        "books-open-items": "/console/points/books",
        "payment-account": f"/console/payments/{day.awaited}",
        "payment-deposited": f"/console/payments/{day.deposited}",
        "payment-transferred": f"/console/payments/{day.transferred}",
        "refunds-waiting": "/console/refunds/?status=awaiting_account",
    }


def have_a_bad_day(house: Flask, gateway: GatewayControls, scene: Scene) -> BadDay:
    links, shoppers, window = _shoppers(house, gateway)
    with house.app_context():
        _renewals(gateway)
        receipts.ask(shoppers["transfer"].payment_id or 0)
        receipts.take_a_turn()
        refund_account = _account_wanted(shoppers["deposited"])
        cases = _unmatched(shoppers["deposited"], shoppers["failed"])
        [stuck] = make.attempt_ids([scene.uncertain])
        with transaction():
            db.session.execute(
                update(Attempt)
                .where(Attempt.id == stuck)
                .values(status="needs_human", leased_until=None)
            )
        unmapped, code = _codes(stuck)
        _methods(scene)
        have_points(scene.customers[1])
    events = _events(house, gateway, shoppers["paid"])
    with house.app_context():
        _gateways()
    return BadDay(
        links,
        window,
        refund_account,
        awaited=shoppers["deposit"].payment_id or 0,
        deposited=shoppers["deposited"].payment_id or 0,
        transferred=shoppers["transfer"].payment_id or 0,
        cases=cases,
        stuck=stuck,
        events=events,
        failure_code=code,
        unmapped=unmapped,
        customer=scene.customers[1],
        checkout=shoppers["choose"].checkout_id,
    )


def _shoppers(
    house: Flask, gateway: GatewayControls
) -> tuple[dict[str, str], dict[str, Shopper], str]:
    """One for each thing that the page behind a link can say."""
    stages = ("choose", "at_window", "checking", "paid", "failed", "deposit", "over")
    shoppers = {stage: Shopper(house) for stage in (*stages, "deposited", "transfer")}
    window = shoppers["at_window"].go_to_window("card")
    checking = shoppers["checking"]
    checking.come_back(checking.decide(checking.go_to_window("card")))
    shoppers["paid"].pay("card", installmentPlanMonths="3")
    shoppers["transfer"].pay("transfer")
    failed = shoppers["failed"]
    failed.come_back(failed.decide(failed.go_to_window("card"), "decline", code="FDS_ERROR"))
    failed.make_due()
    failed.work()
    for name in ("deposit", "deposited"):
        shoppers[name].choose("virtual_account", bank="04")
        shoppers[name].work()
    gateway.deposit(orderId=shoppers["deposited"].order_id)
    shoppers["deposited"].make_due()
    shoppers["deposited"].work()
    with house.app_context(), transaction():
        over = update(Checkout).where(Checkout.id == shoppers["over"].checkout_id)
        db.session.execute(over.values(expires_at=clock.now()))
    links = {stage: shoppers[stage].home for stage in stages}
    return links, shoppers, window


def _account_wanted(shopper: Shopper) -> str:
    """A deposit is to be given back, and nobody knows where to."""
    payment = make.payment(shopper.payment_id or 0)
    wish = RefundWish(new_ref("form"), Money(20_000, "KRW"), payment.refundable.minor, "고객 변심")
    with transaction():
        refund_id = refunding.request_refund(payment.id, wish, by=BY)
        token = linking.issue_link(
            payment.customer_id,
            purpose=asking_accounts.PURPOSE,
            subject_type="refund",
            subject_id=refund_id,
            life=timedelta(days=7),
            by=WORKER,
        )
    return f"/my/refund-account/{token}"


def _unmatched(paid: Shopper, failed: Shopper) -> dict[str, int]:
    """More than the amount, and a deposit for what had failed already."""
    for shopper, reason, known, more in (
        (paid, "over", 60_000, 5_000),
        (failed, "late", 0, 60_000),
    ):
        payment = make.payment(shopper.payment_id or 0)
        seen = depositing.DepositSeen(
            attempt_id=make.attempt_ids([payment.id])[-1],
            payment_id=payment.id,
            customer_id=payment.customer_id,
            gateway_name="toss",
            gateway_key=f"pk_{reason}",
            currency="KRW",
            deposited_minor=known + more,
            matched_minor=known,
            deposit_key=f"tx_{reason}",
            depositor="홍길동",
            reason=reason,
        )
        with transaction():
            depositing.record_deposits([seen], by=WORKER)
    with transaction():
        rows = db.session.execute(select(UnmatchedMoney.reason, UnmatchedMoney.id))
        return dict(iter(rows))


def _codes(attempt_id: int) -> tuple[int, int]:
    """An unknown one, and a known one."""
    with transaction():
        noting.note_unmapped([("toss_api", "ISSUER_SYSTEM_CHECK", attempt_id)])
    with transaction():
        unmapped = db.session.scalars(select(UnmappedCode.id)).one()
        known = select(FailureCode.id).where(
            FailureCode.code == "REJECT_CARD_PAYMENT", FailureCode.is_current
        )
        return unmapped, db.session.scalars(known.limit(1)).one()


def _methods(scene: Scene) -> None:
    """A customer with a usable card, a blocked one, an expired one and an account."""
    customer = scene.customers[1]
    blocked, expired = make.make_method(customer), make.make_method(customer)
    with transaction():
        block(blocked, because="도난 신고", by=BY)
        mark_expired([expired], because="EXPIRED_CARD", by=WORKER)


def _events(house: Flask, gateway: GatewayControls, shopper: Shopper) -> list[int]:
    """One about a paid order, one about a stranger's, one about a deleted key."""
    [payment] = gateway.payments(shopper.order_id)
    bodies = (
        {"eventType": "PAYMENT_STATUS_CHANGED", "data": payment},
        {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"orderId": "op_nobody"}},
        {"eventType": "BILLING_DELETED", "data": {"billingKey": "bk_x", "customerName": "홍길동"}},
    )
    client = house.test_client()
    for number, body in enumerate(bodies):
        headers = {"tosspayments-webhook-transmission-id": f"delivery-{number}"}
        client.post("/webhooks/toss", data=json.dumps(body), headers=headers)
    with house.app_context():
        with transaction():
            ids = list(db.session.scalars(select(GatewayEvent.id).order_by(GatewayEvent.id)))
        applying.read_events(ids[:-1], by=WORKER)
    return ids


def _renewals(gateway: GatewayControls) -> None:
    """One lacked money, one card is dead."""
    for code in ("REJECT_CARD_PAYMENT", "INVALID_STOPPED_CARD"):
        subscriptions.make_subscription()
        gateway.faults(declines={code: 1.0})
        subscriptions.renew()
        with transaction():
            ready = select(Attempt.id).where(Attempt.status == "ready", Attempt.flow == "billing")
            planned = list(db.session.scalars(ready.where(Attempt.number == 1)))
        charging.execute_attempts(planned, by=WORKER)
    gateway.clear()


def _gateways() -> None:
    """The second one answers nobody; cards are sent to the first."""
    with transaction():
        tally([("portone", f"attempt {n}", HUNG) for n in range(12)], by=WORKER)
        add_route(NewRoute("card", "KRW", "toss", amount_from_minor=0), by=BY)
