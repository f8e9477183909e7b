import re
from datetime import timedelta

import pytest

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.points import earning, queries, reserving
from opsapp.staff.rules import Role
from tests.factories.staff import make_account

BY = Actor("cli", "test")
REQUEST = re.compile(r'name="request_id"[^>]*value="([^"]*)"')


@pytest.fixture
def customer(house, scene) -> int:
    """With 5,000 points that never expire and 3,000 that expire in five days."""
    with house.app_context(), transaction():
        for number, (points, days) in enumerate([(5_000, None), (3_000, 5)]):
            today = clock.seoul_date(clock.now())
            earning.earn(
                scene.customers[0],
                points,
                request_id=f"welcome-{number}",
                because="가입 축하 <b>적립</b>",
                expires_on=None if days is None else today + timedelta(days=days),
                by=BY,
            )
    return scene.customers[0]


def ask(visitor, customer: int, **changes):
    path = f"/console/points/customers/{customer}"
    [request_id] = REQUEST.findall(visitor.get(path).text)
    form = {"direction": "give", "points": "1,500", "reason": "배송이 늦어 사과드림"}
    return visitor.post(f"{path}/adjustments", form | {"request_id": request_id} | changes)


def balance(house, customer: int) -> int:
    with house.app_context(), transaction():
        return queries.find_balance(customer).available


def test_a_page_says_what_a_customer_has_and_what_became_of_it(house, cs, customer):
    with house.app_context(), transaction():
        reserving.reserve(customer, 3_500, subject_type="order_leg", subject_id=1, by=BY)
    page = cs.get(f"/console/points/customers/{customer}").text
    for text in ("4,500포인트", "3,500포인트", "포인트 적립", "주문에 사용 대기", "+3,000"):
        assert text in page, text
    assert "<b>적립</b>" not in page
    assert "조정 요청" not in page, "customer service may look only"
    beside = cs.get(f"/console/customers/{customer}").text
    assert "4,500포인트" in beside
    found = cs.get("/console/points/?q=김민").text
    assert "4,500포인트" not in found
    assert "0포인트" in found


def test_one_person_asks_and_another_one_decides(house, as_role, customer):
    with house.app_context():
        make_account(Role.FINANCE, email="second@example.com", name="박재무")
    first, second = as_role("finance"), as_role("admin")
    assert ask(first, customer).status_code == 302
    assert "다른 담당자가 결정해야" in first.get("/console/points/adjustments").text
    path = "/console/points/adjustments/1/"
    refused = first.post(path + "approve")
    assert refused.status_code == 403
    assert "직접 승인하거나" in refused.text
    assert balance(house, customer) == 8_000
    assert second.post(path + "refuse", {"because": "짧"}).status_code == 422
    assert second.post(path + "approve").status_code == 302
    assert second.post(path + "approve").status_code == 409
    assert balance(house, customer) == 9_500
    page = second.get("/console/points/adjustments?status=approved").text
    assert "배송이 늦어 사과드림" in page


def test_a_form_sent_twice_asks_once_and_a_wrong_one_says_which_field(as_role, customer, owner):
    finance = as_role("finance")
    form = {"request_id": "req_same_form_0001"}
    assert [ask(finance, customer, **form).status_code for _ in range(2)] == [302, 302]
    for changes, said in (
        ({"points": "많이"}, "숫자로"),
        ({"points": "0"}, "0보다"),
        ({"points": "9,000,000"}, "1,000,000포인트"),
        ({"reason": "네"}, "5~200자"),
        ({"direction": "take", "points": "8,001"}, "8000포인트"),
    ):
        answer = ask(finance, customer, **changes)
        assert (answer.status_code, said in answer.text) == (422, True), (changes, answer.text)
    assert owner.execute("SELECT count(*) FROM point_adjustments").fetchone() == (1,)
    withdrawn = finance.post("/console/points/adjustments/1/withdraw")
    assert withdrawn.status_code == 302
    assert "철회했습니다" in finance.get(withdrawn.location).text


def test_the_books_name_what_is_open_and_since_when(house, as_role, scene, customer, owner):
    with house.app_context(), transaction():
        reserving.reserve(customer, 700, subject_type="order_leg", subject_id=1, by=BY)
    owner.execute("UPDATE point_reservations SET created_at = created_at - interval '3 days'")
    page = as_role("finance").get("/console/points/books").text
    row = re.search(r"포인트 사용 대기<small>.*?</tr>", page, re.DOTALL)
    assert row, page
    assert "-700" in row[0]
    assert "3일 전" in row[0]
    assert "결제사가 받아서" in page, "the gateway owes us what was paid"
