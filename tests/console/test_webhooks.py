import json
import re
from typing import NamedTuple

import pytest

from opsapp.insights.listing_events import fields_of
from opsapp.kernel.actors import Actor
from opsapp.payments import applying, charging
from opsapp.staff.rules import Role
from tests.factories import payments as make

BY = Actor("worker", "test")
ROW = re.compile(r'<th scope="row"><a href="/console/webhooks/(\d+)">')
SEEN = re.compile(r'name="seen" value="(\d+)"')


class Told(NamedTuple):
    paid: int
    gateway_order_id: str


@pytest.fixture
def told(house, gateway):
    """One about a paid order, one about a stranger's, one about a deleted key."""
    with house.app_context():
        [payment_id] = make.make_payments()
        charging.execute_attempts(make.attempt_ids([payment_id]), by=BY)
        [order_id] = make.order_ids([payment_id])
    [payment] = gateway.payments(order_id)
    bodies = (
        {"eventType": "PAYMENT_STATUS_CHANGED", "data": payment},
        {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"orderId": "op_nobody"}},
        {
            "eventType": "BILLING_DELETED",
            "data": {"billingKey": "bk_of_nobody", "customerName": "홍길동"},
        },
    )
    client = house.test_client()
    for number, body in enumerate(bodies):
        headers = {"tosspayments-webhook-transmission-id": f"delivery-{number}"}
        answer = client.post("/webhooks/toss", data=json.dumps(body), headers=headers)
        assert answer.status_code == 200
    with house.app_context():
        applying.read_events([1, 2, 3], by=BY)
    return Told(payment_id, order_id)


def ids(visitor, query=""):
    page = visitor.get(f"/console/webhooks/?{query}")
    assert page.status_code == 200, page.text[-300:]
    return [int(number) for number in ROW.findall(page.text)]


def test_a_payments_timeline_unfolds_a_notice_without_what_is_personal(cs, told):
    page = cs.get(f"/console/payments/{told.paid}?line=gateway").text
    assert f'hx-get="/console/payments/{told.paid}/messages/1"' in page
    message = cs.get(f"/console/payments/{told.paid}/messages/1").text
    assert told.gateway_order_id in message
    assert "숨김" in message
    assert cs.get(f"/console/payments/{told.paid}/messages/2").status_code == 404


def test_the_newest_notice_stands_first_with_what_came_of_it(cs, told):
    assert ids(cs) == [3, 2, 1]
    page = cs.get("/console/webhooks/").text
    assert "결제사의 내역이 우리 장부와 같습니다." in page
    assert page.count("우리 결제와 관련 없는 알림입니다.") == 2
    assert f'href="/console/payments/{told.paid}"' in page


def test_filters_and_the_search_find_notices(cs, told, owner):
    [(gateway_key, ref)] = owner.execute(
        "SELECT a.gateway_key, p.ref FROM attempts a JOIN payments p ON p.id = a.payment_id "
        "WHERE p.id = %s",
        (told.paid,),
    ).fetchall()
    for search in (told.gateway_order_id, gateway_key, ref, "delivery-0"):
        assert ids(cs, f"q={search}") == [1], search
    assert ids(cs, "q=%25") == []
    assert ids(cs, "type=BILLING_DELETED") == [3]
    assert ids(cs, "gateway=toss&status=ignored") == [3, 2, 1]
    assert ids(cs, "gateway=stripe") == []
    assert ids(cs, "since=2020-01-01&until=2020-12-31") == []
    assert cs.get("/console/webhooks/?status=nonsense").status_code == 422


def test_personal_data_is_shown_to_who_reads_the_log_and_that_is_an_entry(as_role, told, owner):
    looked = "SELECT count(*) FROM audit_entries WHERE action = 'gateway_event.body_viewed'"
    page = as_role("cs").get("/console/webhooks/3").text
    assert "BILLING_DELETED" in page
    assert "홍길동" not in page
    assert owner.execute(looked).fetchone() == (0,)
    page = as_role("auditor").get("/console/webhooks/3").text
    assert "홍길동" in page
    assert "bk_of_nobody" not in page
    assert owner.execute(looked).fetchone() == (1,)


def test_no_reader_sees_a_secret_or_a_whole_account_number():
    body = {
        "secret": "s-1",
        "data": {
            "billingKey": "b-1",
            "customerKey": "c-1",
            "virtualAccount": {"accountNumber": "X123456789012"},
            "card": {"number": "433012******1234"},
            "customer": [{"client_secret": "s-2", "name": "홍길동"}],
            "status": "DONE",
        },
    }
    shown = {field.path: field.shown for field in fields_of(body, is_whole=True)}
    assert [path for path, text in shown.items() if text is None] == [
        "secret",
        "data.billingKey",
        "data.customerKey",
        "data.customer[0].client_secret",
    ]
    assert "123456789" not in str(shown)
    assert shown["data.customer[0].name"] == "홍길동"
    narrow = [field.path for field in fields_of(body, is_whole=False) if field.shown is not None]
    assert narrow == ["data.status"]


def test_a_body_nested_without_end_is_shown_too():
    body = json.loads("[" * 900 + "1" + "]" * 900)
    assert [field.shown for field in fields_of(body, is_whole=True)] == ["1"]


def test_a_notice_is_processed_again_by_a_button_and_the_log_says_who(cs, told, owner):
    assert "다시 처리" in cs.get("/console/webhooks/1").text
    answer = cs.post("/console/webhooks/1/replay")
    assert answer.location == "/console/webhooks/1"
    assert owner.execute("SELECT status FROM gateway_events WHERE id = 1").fetchone() == ("stored",)
    [(actor, because)] = owner.execute(
        "SELECT actor, because FROM audit_entries WHERE action = 'gateway_event.stored'"
    ).fetchall()
    assert (actor.split(":")[0], because) == ("staff", "staff play it again")
    assert "다시 처리</button>" not in cs.get("/console/webhooks/1").text
    assert cs.post("/console/webhooks/1/replay").status_code == 409


def test_all_that_a_filter_fits_are_processed_again_only_if_as_many_as_shown(cs, told, owner):
    stored = "SELECT count(*) FROM gateway_events WHERE status = 'stored'"
    page = cs.get("/console/webhooks/?status=ignored&type=PAYMENT_STATUS_CHANGED").text
    assert SEEN.findall(page) == ["2"]
    path = "/console/webhooks/replay?status=ignored&type=PAYMENT_STATUS_CHANGED"
    for seen in ("3", "", "x"):
        assert cs.post(path, {"seen": seen}).status_code == 409
    assert owner.execute(stored).fetchone() == (0,)
    answer = cs.post(path, {"seen": "2"})
    assert answer.location.startswith("/console/webhooks/?")
    assert owner.execute(stored).fetchone() == (2,)


def test_only_who_works_on_tickets_is_offered_to_process_again(as_role, told):
    for role in Role:
        may = role in (Role.CS, Role.ADMIN)
        visitor = as_role(role.value)
        assert ("다시 처리</button>" in visitor.get("/console/webhooks/1").text) is may
        assert bool(SEEN.findall(visitor.get("/console/webhooks/?gateway=toss").text)) is may
