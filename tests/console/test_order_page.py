import re

import pytest
from sqlalchemy import select

from opsapp.kernel.db import db, transaction
from opsapp.orders.models import OrderRefund
from opsapp.payments.models import Payment
from opsapp.points.queries import find_balance
from tests.factories.carts import Cart, goods, make_seller, place, tea

HIDDEN = re.compile(r'<input type="hidden" name="(request_id|seen|currency)" value="([^"]*)"')


@pytest.fixture
def cart(house, gateway) -> Cart:
    with house.app_context():
        farm = make_seller("farm", 1_000)
        return place(
            goods("사과 한 상자", 12_345, farm), goods("선물 포장", 1_000), tea(farm), points=3_000
        )


@pytest.fixture
def leg_id(house, cart) -> int:
    with house.app_context():
        return cart.leg_id


def form_of(page: str, leg_id: int, **filled: str) -> dict[str, str]:
    part = page[page.index(f'id="refund-{leg_id}"') :]
    carried = dict(HIDDEN.findall(part)[:3])
    fresh = {
        "line": "",
        "kind": "full",
        "amount": "",
        "reason_text": "",
        "reason_code": "defective",
    }
    return carried | fresh | filled


def test_the_page_tells_lines_tenders_shares_and_what_happens_next(cs, cart):
    page = cs.get(f"/console/orders/{cart.order_id}").text
    for said in (
        "사과 한 상자", "선물 포장", "판매자 farm", "직접 판매", "결제 완료", "3,000포인트",
        "10,345원", "10,987원", "1,235원", "123원", "더 할 일이 없습니다",
    ):  # fmt: skip
        assert said in page, said
    assert cs.get(f"/console/orders/{cart.order_id + 1}").status_code == 404


def test_a_refund_is_reviewed_first_and_then_done_exactly_so(cs, house, cart, leg_id):
    address = f"/console/orders/{cart.order_id}"
    form = form_of(cs.get(address).text, leg_id, kind="partial", amount="11,000")
    review = cs.post(f"{address}/legs/{leg_id}/refunds/review", form)
    assert review.status_code == 200
    for said in ("11,000원", "10,345원", "655포인트", "2,345포인트", "환불 후 남는 포인트"):
        assert said in review.text, said
    with house.app_context(), transaction():
        assert db.session.scalars(select(OrderRefund)).all() == []
    done = cs.post(f"{address}/legs/{leg_id}/refunds/request", form, follow_redirects=True)
    assert "환불을 요청했습니다" in done.text
    again = cs.post(f"{address}/legs/{leg_id}/refunds/request", form, follow_redirects=True)
    assert again.status_code == 200
    with house.app_context(), transaction():
        [made] = db.session.scalars(select(OrderRefund)).all()
        assert (made.money_minor, made.points) == (10_345, 655)
        assert db.session.get_one(Payment, 1) is not None
        assert find_balance(cart.customer_id).available == 655


def test_a_screen_that_is_out_of_date_is_refused(cs, cart, leg_id):
    address = f"/console/orders/{cart.order_id}"
    old = form_of(cs.get(address).text, leg_id, kind="partial", amount="500")
    line = re.search(r'<option value="(\d+)" >선물 포장', cs.get(address).text)[1]
    new = form_of(cs.get(address).text, leg_id, line=line)
    cs.post(f"{address}/legs/{leg_id}/refunds/request", new)
    late = cs.post(f"{address}/legs/{leg_id}/refunds/review", old)
    assert late.status_code == 409
    assert "12,345원" in late.text


def test_a_leg_of_another_order_is_not_found_here(cs, cart, leg_id):
    address = f"/console/orders/{cart.order_id}"
    form = form_of(cs.get(address).text, leg_id)
    assert cs.post(f"{address}/legs/{leg_id + 9}/refunds/review", form).status_code == 404


def test_sellers_are_listed_with_what_they_are_owed_and_only_admins_change_fees(cs, as_role, cart):
    admin = as_role("admin")
    assert "19,798원" in cs.get("/console/settings/sellers/").text
    assert "10,987원" in cs.get("/console/settings/sellers/1").text
    assert cs.post("/console/settings/sellers/1/fee", {"fee": "5"}).status_code == 403
    added = admin.post(
        "/console/settings/sellers/",
        {"ref": "kiln", "name": "가마터", "fee": "12.5"}, follow_redirects=True,
    )  # fmt: skip
    assert "12.50 %" in added.text
    unfit = admin.post("/console/settings/sellers/", {"ref": "x", "name": "x", "fee": "95"})
    assert (unfit.status_code, "0~90%" in unfit.text) == (422, True)
    change = {"fee": "8.25", "reason": "재계약", "seen": "1000"}
    changed = admin.post("/console/settings/sellers/1/fee", change, follow_redirects=True)
    assert "8.25 %" in changed.text
    assert admin.post("/console/settings/sellers/1/fee", change).status_code == 409
