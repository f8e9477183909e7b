"""Money acts at the screen: the plan before, the time to undo, the second person, the policy."""

import re

from opsapp.bulk import running
from opsapp.kernel.actors import Actor
from tests.console.test_refunds import HX, wish
from tests.factories.money import set_money_policy

WORKER = Actor("worker", "test")


def ask_for(visitor, payment_id, **changes):
    form = wish(visitor, payment_id, **changes)
    return visitor.post(f"/console/payments/{payment_id}/refunds", form, headers=HX)


def statuses(owner, table):
    return [row[0] for row in owner.execute(f"SELECT status FROM {table} ORDER BY id")]  # noqa: S608


def test_a_held_refund_is_shown_before_and_can_be_taken_back_by_a_colleague(
    house, cs, as_role, scene, owner
):
    with house.app_context():
        set_money_policy(refund_undo_minutes=3)
    review = cs.post(
        f"/console/payments/{scene.paid}/refunds/review", wish(cs, scene.paid), headers=HX
    ).text
    for text in ("3분 동안 대기", "9,000원 환불", "수수료는 없습니다", "홍*동"):
        assert text in review, text
    assert "환불 대기" in ask_for(cs, scene.paid).text
    finance = as_role("finance")
    page = finance.get(f"/console/payments/{scene.paid}").text
    assert "9,000원 환불 취소" in page
    [refund_id] = re.findall(r"/console/refunds/(\d+)/withdraw", page)
    assert finance.post(f"/console/refunds/{refund_id}/withdraw", {"note": ""}).status_code == 422
    answer = finance.post(f"/console/refunds/{refund_id}/withdraw", {"note": "고객이 취소 요청"})
    assert answer.status_code == 302
    assert statuses(owner, "refunds")[-1] == "withdrawn"
    assert "9,000원" in cs.get(f"/console/payments/{scene.paid}").text, "it stays in the history"


def test_a_second_person_decides_and_whoever_asked_is_told_why_not(
    house, cs, as_role, scene, owner
):
    with house.app_context():
        set_money_policy(limits={"cs": 1_000, "finance": 1_000, "admin": 1_000})
    assert "승인 대기" in ask_for(cs, scene.paid).text
    finance, auditor = as_role("finance"), as_role("auditor")
    page = finance.get("/console/approvals/").text
    assert "-9,000원" in page
    assert "홍*동" in page
    assert "홍길동" not in page
    [approval_id] = re.findall(r'href="/console/approvals/(\d+)"', page)
    address = f"/console/approvals/{approval_id}"
    assert cs.post(f"{address}/approve").status_code == 403
    assert auditor.post(f"{address}/approve").status_code == 403
    assert "9,000원 승인" in finance.get(address).text
    assert finance.post(f"{address}/return", {"comment": ""}).status_code == 422
    assert (
        finance.post(f"{address}/return", {"comment": "영수증을 먼저 받으세요"}).status_code == 302
    )
    assert statuses(owner, "refunds")[-1] == "withdrawn"
    assert "영수증을 먼저 받으세요" in cs.get(f"{address}").text
    assert ask_for(finance, scene.paid).status_code == 202
    own = f"/console/approvals/{int(approval_id) + 1}"
    refused = finance.post(f"{own}/approve")
    assert (refused.status_code, "요청한 사람은" in refused.text) == (403, True)
    admin = as_role("admin")
    assert admin.post(f"{own}/approve").status_code == 302
    assert statuses(owner, "refunds")[-1] == "requested"
    assert "승인됨" in finance.get("/console/approvals/?view=mine").text


def test_payments_that_fit_a_filter_are_refunded_as_one_job(house, cs, scene, owner):
    with house.app_context():
        set_money_policy(bulk_undo_minutes=3)
    asked = {"list": "payments", "query": "tab=approved", "act": "refund", "scope": "all"}
    page = cs.post("/console/jobs/bulk/review", asked).text
    for text in ("2건 환불", "149,000원", "3분 뒤에 시작"):
        assert text in page, text
    names = ("request_id", "seen_total", "seen_sum", "list", "query", "scope", "act")
    hidden = {name: re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in names}
    moved = cs.post("/console/jobs/bulk/", hidden | {"because": "취소", "seen_sum": "KRW 1"})
    assert moved.status_code == 409
    answer = cs.post("/console/jobs/bulk/", hidden | {"because": "행사 취소"})
    assert answer.status_code == 302, answer.text
    assert "지금 시작" in cs.get(answer.location).text
    assert cs.post(f"{answer.location}/begin").status_code == 302
    with house.app_context():
        running.run_jobs([int(answer.location.rsplit("/", 1)[1])], by=WORKER)
    assert statuses(owner, "bulk_rows") == ["done", "done"]
    assert statuses(owner, "refunds").count("requested") == 2
    assert "129,000원" in cs.get(answer.location).text


def test_a_right_that_hangs_on_the_act_is_asked_for(as_role, scene, owner):
    finance, asked = as_role("finance"), {"scope": "all", "list": "payments"}
    assert finance.post("/console/jobs/bulk/review", asked | {"act": "refund"}).status_code == 200
    assert finance.post("/console/jobs/bulk/review", asked | {"act": "retry"}).status_code == 403
    as_role("auditor").post("/console/jobs/bulk/review", asked | {"act": "refund"})
    denied = "SELECT count(*) FROM audit_entries WHERE action = 'staff_account.access_denied'"
    assert owner.execute(denied).fetchone() == (2,)


def test_a_new_policy_shows_its_difference_before_it_takes_effect(as_role, owner):
    admin, path = as_role("admin"), "/console/settings/money/"
    page = admin.get(path).text
    values = dict(re.findall(r'name="(\w+)" inputmode="numeric" value="([^"]*)"', page))
    seen = re.search(r'name="seen" value="(\d+)"', page)[1]
    wanted = values | {"seen": seen, "limit_cs": "500,000", "because": "한도 상향 합의"}
    review = admin.post(f"{path}review", wanted).text
    assert "300,000원" in review
    assert "500,000원" in review
    assert owner.execute("SELECT max(version) FROM money_policies").fetchone() == (int(seen),)
    assert admin.post(f"{path}review", wanted | {"limit_cs": "많이"}).status_code == 422
    assert admin.post(f"{path}save", wanted).status_code == 302
    stale = admin.post(f"{path}save", wanted)
    assert (stale.status_code, "적용되었습니다" in stale.text) == (409, True)
    assert as_role("cs").post(f"{path}save", wanted).status_code == 403
