from datetime import date

import pytest

from opsapp.customers import issuing
from opsapp.kernel.actors import Actor
from tests.factories.payments import make_customer, make_method

WORKER = Actor("worker", "test")


@pytest.fixture
def shop(house):
    """A customer with two cards: (customer, first, second)."""
    with house.app_context():
        customer_id = make_customer("C-1")
        return customer_id, make_method(customer_id), make_method(customer_id)


def act(visitor, shop, action: str, *, method: int = 1, **form: str):
    path = f"/console/customers/{shop[0]}/methods/{shop[method]}/{action}"
    return visitor.post(path, {"because": "고객 요청"} | form)


def state(owner, method_id: int) -> tuple:
    return owner.execute(
        "SELECT status, is_default FROM payment_methods WHERE id = %s", [method_id]
    ).fetchone()


def test_an_agent_makes_a_default_blocks_lifts_and_deletes_with_a_reason(house, cs, shop, owner):
    for action, wanted in (
        ("set_default", ("active", True)),
        ("block", ("blocked", False)),
        ("unblock", ("active", False)),
        ("delete", ("deleting", False)),
    ):
        answer = act(cs, shop, action)
        assert answer.status_code == 302, answer.text
        assert state(owner, shop[1]) == wanted
        page = cs.get(answer.location.partition("#")[0]).text
        assert 'role="status"' in page
    assert "삭제 중" in page
    with house.app_context():
        issuing.issue_billing_keys([shop[1]], by=WORKER)
    assert state(owner, shop[1])[0] == "deleted"
    reasons = owner.execute(
        "SELECT DISTINCT because FROM audit_entries WHERE actor LIKE 'staff:%%' "
        "AND subject_type = 'payment_method' AND subject_id = %s",
        [shop[1]],
    ).fetchall()
    assert reasons == [("고객 요청",)]


def test_a_card_is_replaced_by_another_of_the_same_customer(cs, shop, owner):
    assert act(cs, shop, "replace", by_method=str(shop[2])).status_code == 302
    found = "SELECT replaced_by_id FROM payment_methods WHERE id = %s"
    assert owner.execute(found, [shop[1]]).fetchone() == (shop[2],)
    for wrong, status in ((str(shop[1]), 422), ("", 404), ("x", 404), ("9" * 40, 404)):
        assert act(cs, shop, "replace", by_method=wrong).status_code == status


def test_nothing_is_done_without_a_reason(cs, shop, owner):
    for because in ("", "  a ", "x" * 201):
        assert act(cs, shop, "block", because=because).status_code == 422
    assert state(owner, shop[1])[0] == "active"


def test_what_the_state_does_not_allow_is_refused_in_words(cs, shop, owner):
    assert act(cs, shop, "unblock").status_code == 409
    assert act(cs, shop, "ask_again").status_code == 409
    act(cs, shop, "delete")
    refused = act(cs, shop, "block")
    assert refused.status_code == 409
    assert "삭제 중" in refused.text
    assert "상태의 결제수단은 차단하거나 차단을 풀 수 없습니다" in refused.text


def test_a_method_of_another_customer_is_not_found(house, cs, shop, owner):
    with house.app_context():
        stranger = make_customer("C-2")
    assert act(cs, (stranger, *shop[1:]), "block").status_code == 404
    assert state(owner, shop[1])[0] == "active"


def test_who_may_not_manage_methods_sees_no_buttons(as_role, shop):
    for role, may in (("finance", False), ("auditor", False), ("admin", True)):
        visitor = as_role(role)
        assert ("/block" in visitor.get(f"/console/customers/{shop[0]}").text) is may
        assert (act(visitor, shop, "block").status_code == 302) is may


def test_what_expires_soon_or_has_expired_is_said(cs, shop, owner):
    today = owner.execute("SELECT (ops_now() AT TIME ZONE 'Asia/Seoul')::date").fetchone()[0]
    for day, said in (
        (today, "곧 만료"),
        (date(2020, 1, 31), "만료됨"),
        (date(today.year + 3, 1, 31), f"만료 {today.year + 3}"),
    ):
        owner.execute("UPDATE payment_methods SET expires_on = %s WHERE id = %s", [day, shop[1]])
        page = cs.get(f"/console/customers/{shop[0]}").text
        assert said in page or str(day) in page
        assert ("곧 만료" in page) is (said == "곧 만료")
