"""Payment links and cash receipts, as staff make and mend them."""

import re

import pytest

from opsapp.console import errors
from opsapp.notifications import delivering
from opsapp.payments import charging
from opsapp.payments.errors import RefundUnderWay
from opsapp.staff import queries as staff
from tests.factories import payments as make, receipts
from tests.factories.buyers import Buyer, charge, picture, states
from tests.factories.checkouts import Shopper
from tests.portal.conftest import with_window

ADDRESS = re.compile(r"http://127\.0\.0\.1:8000(/pay/[\w-]{43})")
REQUEST = re.compile(r'name="request_id" value="([^"]+)"')


@pytest.fixture
def settings(settings, sandbox_url):
    return with_window(settings, sandbox_url)


@pytest.fixture
def customer_id(house):
    with house.app_context():
        return make.make_customer()


def make_link(staff, customer_id, **changes):
    page = staff.get(f"/console/orders/customers/{customer_id}/links/new").text
    form = {"title": "햇사과 5kg", "amount": "60,000원", "life": "3"}
    form["request_id"] = REQUEST.search(page)[1]
    return staff.post(f"/console/orders/customers/{customer_id}/links", form | changes)


def test_a_link_made_for_a_customer_is_shown_once_and_opens_their_page(house, cs, customer_id):
    made = make_link(cs, customer_id)
    [address] = set(ADDRESS.findall(made.text))
    assert "햇사과" in house.test_client().get(address).text
    assert ADDRESS.search(cs.get("/console/orders/links/1").text) is None
    listed = cs.get("/console/orders/?tab=links")
    assert "60,000원" in listed.text
    assert "사용 가능" in listed.text


def test_a_form_sent_twice_is_one_link(cs, customer_id, owner):
    same = {"request_id": "link_a1b2c3d4e5f6g7h8"}
    assert make_link(cs, customer_id, **same).status_code == 200
    assert make_link(cs, customer_id, **same).status_code == 302
    assert owner.execute("SELECT count(*) FROM checkouts").fetchone() == (1,)


@pytest.mark.parametrize(
    "wrong", [{"amount": "free"}, {"amount": "0"}, {"amount": "9999999999"}, {"title": " "}]
)
def test_a_wrong_wish_keeps_the_form_and_makes_nothing(cs, customer_id, owner, wrong):
    answer = make_link(cs, customer_id, **wrong)
    assert answer.status_code == 422
    assert "확인" in answer.text or "입력" in answer.text
    assert owner.execute("SELECT count(*) FROM checkouts").fetchone() == (0,)


def test_the_link_goes_by_mail_with_an_address_of_its_own(house, cs, customer_id, monkeypatch):
    texts = []
    compose = delivering.wording.compose

    def note(**values):
        message = compose(**values)
        texts.append(message.text)
        return message

    monkeypatch.setattr(delivering.wording, "compose", note)
    [shown] = set(ADDRESS.findall(make_link(cs, customer_id).text))
    for _ in range(2):
        assert cs.post("/console/orders/links/1/send").status_code == 302
        with house.app_context():
            delivering.send_notices([1], by=receipts.WORKER)
    first, second = (ADDRESS.search(text)[1] for text in texts)
    assert len({shown, first, second}) == 3
    assert house.test_client().get(second).status_code == 200


def test_a_withdrawn_link_is_dead_and_cannot_be_withdrawn_twice(house, cs, customer_id):
    [address] = set(ADDRESS.findall(make_link(cs, customer_id).text))
    assert cs.post("/console/orders/links/1/cancel").status_code == 302
    assert house.test_client().get(address).status_code == 404
    assert cs.post("/console/orders/links/1/cancel").status_code == 409
    assert cs.post("/console/orders/links/1/send").status_code == 410


def test_a_paid_link_stands_among_the_orders_with_how_it_was_paid(house, cs, gateway):
    shopper = Shopper(house)
    shopper.pay("card", installmentPlanMonths="3")
    orders = cs.get("/console/orders/?tab=orders").text
    assert "승인" in orders
    assert "카드" in orders
    detail = cs.get(f"/console/payments/{shopper.payment_id}").text
    assert "3개월" in detail
    assert "일시불" not in detail


def test_staff_issue_cancel_and_mend_a_cash_receipt_on_the_page_of_the_payment(
    house, cs, gateway, monkeypatch
):
    shopper = Shopper(house)
    shopper.pay("transfer")
    page = f"/console/payments/{shopper.payment_id}"
    asked = {"receipt": "income_deduction", "receipt_number": "010-2345-6789"}
    ask = f"/console/cash-receipts/payments/{shopper.payment_id}"
    assert cs.post(ask, asked | {"receipt_number": "4330123412341234"}).status_code == 422
    assert cs.post(ask, asked).status_code == 302
    with house.app_context():
        receipts.take_a_turn()
    shown = cs.get(page).text
    assert "010-****-6789" in shown
    assert "발급번호" in shown
    assert "2345" not in shown
    assert cs.post("/console/cash-receipts/1/cancel", {"reason": "x"}).status_code == 422
    assert cs.post("/console/cash-receipts/1/cancel", {"reason": "번호 오류"}).status_code == 302
    with house.app_context():
        receipts.take_a_turn()
    assert "취소" in cs.get("/console/cash-receipts/?status=cancelled").text
    assert cs.post("/console/cash-receipts/1/again", {}).status_code == 409


def test_an_auditor_sees_links_and_receipts_and_makes_none(as_role, customer_id):
    auditor = as_role("auditor")
    assert auditor.get("/console/orders/").status_code == 200
    assert auditor.get("/console/cash-receipts/").status_code == 200
    assert auditor.get(f"/console/orders/customers/{customer_id}/links/new").status_code == 403


def test_staff_give_a_failed_part_of_an_order_up_and_never_one_that_may_be_paid(
    house, cs, as_role, gateway
):
    with house.app_context():
        buyer = Buyer()
        order_id = buyer.place()
        one_off = next(leg.leg for leg in picture(order_id).legs if leg.leg.kind == "one_off")
    act = f"/console/orders/{order_id}/legs/{one_off.id}/give-up"
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    with house.app_context():
        charging.execute_attempts(make.attempt_ids([one_off.payment_id]), by=make.BY)
    assert cs.post(act).status_code == 409
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    with house.app_context():
        other = buyer.place(order_ref="another-order", points=2_000)
        charge(other)
        leg_id = picture(other).legs[0].leg.id
    page = f"/console/orders/{other}"
    assert "이 결제 건 포기" in cs.get(page).text
    assert as_role("auditor").post(f"{page}/legs/{leg_id}/give-up").status_code == 403
    assert cs.post(f"{page}/legs/{leg_id}/give-up").status_code == 302
    with house.app_context():
        assert states(other)[1] == {"one_off": "released", "subscription": "failed"}
        assert buyer.balance() == (2_000, 3_000)


def test_the_orders_are_what_the_menu_opens(cs):
    page = cs.get("/console/orders/").text
    assert "아직 주문이 없습니다" in page
    assert 'href="/console/orders/?tab=links"' in page


def test_a_refusal_calls_a_colleague_by_name(cs, house):
    with house.test_request_context():
        told = errors.told(RefundUnderWay(amount=9_900, by="staff:1"))
        assert told.startswith(staff.names_of_actors(["staff:1"])["staff:1"])
