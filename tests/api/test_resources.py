"""What a shop does all day: orders, refunds, subscriptions, points, checkouts."""

import pytest
from sqlalchemy import select

from opsapp.customers import issuing
from opsapp.kernel.db import db, transaction
from opsapp.orders.models import Order
from opsapp.payments import refunding
from opsapp.payments.models import Refund
from opsapp.programs.rules import Scope
from tests.api import shop
from tests.api.shop import CUSTOMER, ORDER, PLAN, SELLER, Shop
from tests.api.test_idempotency import line
from tests.factories.carts import charge
from tests.factories.payments import BY


@pytest.fixture
def furnished(app) -> Shop:
    return shop.furnish()


def cart(**changes):
    return {
        "id": "O-9", "customer": CUSTOMER, "title": "과일", "lines": [line(seller=SELLER)],
    } | changes  # fmt: skip


def test_a_mixed_cart_is_placed_once_charged_and_given_back(program, furnished):
    body = cart(
        lines=[line(seller=SELLER, shipping=3_000), {"kind": "subscription", "plan": PLAN}],
        points=2_000,
        payment_method=furnished.method,
        consents=["recurring_payment"],
    )
    made = program.post("/orders", body)
    assert made.status_code == 201, made.json
    assert [leg["amount"] for leg in made.json["legs"]] == [15_000, 9_900]
    assert program.post("/orders", body).json["id"] == "O-9", "the same cart is the same order"
    charge(order_id("O-9"))
    order = program.get("/orders/O-9").json
    assert (order["state"], order["legs"][0]["refundable"]) == ("paid", 13_000)
    payment = program.get(f"/payments/{order['legs'][0]['payment']}", expand="attempts").json
    assert (payment["order"], payment["amount"]) == ("O-9", 13_000)
    assert [attempt["status"] for attempt in payment["attempts"]] == ["succeeded"]
    back = {"leg": 1, "line": 1, "amount": 14_000, "reason": "상함", "seen_refundable": 15_000}
    refund = program.post("/orders/O-9/refunds", back).json
    assert (refund["money"], refund["points"]) == (13_000, 1_000)
    stale = program.post("/orders/O-9/refunds", back)
    assert (stale.status_code, stale.json["figures"]["refundable"]) == (409, 1_000)
    assert program.get("/orders/O-9/refunds").json["data"][0]["id"] == refund["id"]
    subscription = order["legs"][1]["subscription"]
    told = program.get(f"/subscriptions/{subscription}", expand="periods").json
    assert told["periods"][0]["status"] == "paid"


def test_what_the_state_does_not_allow_is_told_with_figures(program, furnished):
    dear = program.post("/orders", cart(points=12_000, lines=[line(unit_price=900_000)]))
    assert dear.status_code in (201, 409)
    poor = program.post(
        "/orders", cart(id="O-10", points=800_000, lines=[line(unit_price=900_000)])
    )
    assert (poor.status_code, poor.json["code"]) == (409, "not_enough_points")
    assert poor.json["figures"]["wanted"] == 800_000
    differs = program.post("/orders", cart(id=ORDER))
    assert (differs.status_code, differs.json["code"]) == (409, "order_differs")


def test_a_payment_is_refunded_by_its_reference(program, furnished):
    made = program.post(
        "/refunds", {"payment": furnished.payment, "amount": 5_000, "reason": "고객 요청"}
    )
    assert made.status_code == 201, made.json
    with transaction():
        ids = list(db.session.scalars(select(Refund.id)))
    refunding.execute_refunds(ids, by=BY)
    assert program.get(f"/refunds/{made.json['id']}").json["status"] == "succeeded"
    payment = program.get(f"/payments/{furnished.payment}", expand="refunds").json
    assert (payment["refunded"], payment["refundable"]) == (5_000, 12_000)
    assert [refund["id"] for refund in payment["refunds"]] == [made.json["id"]]
    more = program.post(
        "/refunds", {"payment": furnished.payment, "amount": 12_001, "reason": "고객 요청"}
    )
    assert (more.status_code, more.json["code"]) == (409, "refund_too_large")


def test_a_subscription_is_begun_paused_resumed_and_cancelled(program, furnished):
    body = {"customer": CUSTOMER, "plan": PLAN, "payment_method": furnished.method, "quantity": 2}
    body["consents"] = ["recurring_payment"]
    made = program.post("/subscriptions", body).json
    address = f"/subscriptions/{made['id']}"
    assert made["amount"] == 19_800
    assert program.post(f"{address}/pause", {}).json["blocks"] == ["pause"]
    assert program.post(f"{address}/resume", {}).json["blocks"] == []
    assert program.post(f"{address}/cancel", {"at_period_end": False}).json["status"] == "cancelled"
    again = program.post(f"{address}/resume", {})
    assert again.status_code == 409
    listed = program.get("/subscriptions", customer=CUSTOMER, status="cancelled").json
    assert [each["id"] for each in listed["data"]] == [made["id"]]


def test_methods_are_registered_chosen_and_deleted_without_a_number_leaving(program, furnished):
    body = {"customer": CUSTOMER, "kind": "card", "auth_key": "card.api", "is_default": True}
    made = program.post("/payment-methods", body)
    assert (made.status_code, made.json["status"]) == (201, "requested")
    assert "card.api" not in made.text
    issuing.issue_billing_keys([2], by=BY)
    address = f"/payment-methods/{made.json['id']}"
    assert program.get(address).json["status"] == "active"
    assert program.post(f"{address}/make-default", {}).json["is_default"]
    used = program.post(f"/payment-methods/{furnished.method}/delete", {})
    assert (used.status_code, used.json["code"]) == (409, "method_is_charged")
    assert program.post(f"{address}/delete", {}).json["status"] == "deleting"
    assert len(program.get("/payment-methods", customer=CUSTOMER).json["data"]) == 2


def test_points_are_earned_once_and_their_entries_are_told(program, furnished):
    before = program.get(f"/customers/{CUSTOMER}/points").json["available"]
    body = {"points": 700, "because": "리뷰", "last_day": "2030-01-31"}
    for _ in range(2):
        told = program.post(f"/customers/{CUSTOMER}/points", body, key="review-1").json
    assert told["available"] == before + 700
    entries = program.get(f"/customers/{CUSTOMER}/points/entries", limit=1).json
    assert entries["data"][0]["change"] == 700
    far = program.post(f"/customers/{CUSTOMER}/points", body | {"last_day": "0001-01-01"})
    assert far.status_code == 409


def test_a_checkout_is_opened_for_a_cart_and_taken_back(program, furnished):
    body = {"customer": CUSTOMER, "title": "과일", "lines": [line()], "order": "O-20"}
    made = program.post("/checkouts", body).json
    assert made["url"].partition("/pay/")[2]
    assert (made["amount"], made["status"], made["order"]) == (12_000, "open", "O-20")
    told = program.get(f"/checkouts/{made['id']}").json
    assert told["url"] is None
    assert program.post(f"/checkouts/{made['id']}/cancel", {}).json["status"] == "cancelled"
    again = program.post(f"/checkouts/{made['id']}/cancel", {})
    assert (again.status_code, again.json["code"]) == (409, "state_changed")


def test_accounts_that_await_a_deposit_show_their_number_to_who_may(
    program, program_with, furnished
):
    [listed] = program.get("/virtual-accounts", customer=CUSTOMER).json["data"]
    assert (listed["payment"], listed["amount"]) == (furnished.account_payment, 30_000)
    whole = program.get(f"/virtual-accounts/{furnished.account_payment}").json["number"]
    assert "*" not in whole
    assert "*" in listed["number"]
    masked = program_with(Scope.PAYMENTS_READ).get(f"/virtual-accounts/{furnished.account_payment}")
    assert masked.json["number"] == listed["number"]


def test_lists_are_of_one_customer_or_order_or_status(program, furnished):
    paid = program.get("/payments", status="paid", customer=CUSTOMER).json["data"]
    assert {each["status"] for each in paid} == {"paid"}
    assert [p["id"] for p in program.get("/payments", order=ORDER).json["data"]] == [
        furnished.payment
    ]
    assert program.get("/orders", customer="nobody").json["data"] == []
    assert [s["id"] for s in program.get("/sellers").json["data"]] == [SELLER]
    assert [p["id"] for p in program.get("/plans").json["data"]] == [PLAN]


def order_id(ref: str) -> int:
    with transaction():
        return db.session.scalars(select(Order.id).where(Order.order_ref == ref)).one()
