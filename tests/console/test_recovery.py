"""The recovery board and the policy's pages."""

import re
from dataclasses import asdict
from datetime import timedelta

import pytest

from opsapp.kernel.actors import Actor
from opsapp.payments import charging
from opsapp.recovery.rules import SHIPPED
from tests.factories.payments import attempt_ids
from tests.factories.subscriptions import make_subscription, renew

BOARD = "/console/recovery/"
POLICIES = f"{BOARD}policies/"
NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}
STOPPED = {"declines": {"INVALID_STOPPED_CARD": 1.0}}
WORKER = Actor("worker", "test")
QUERIES_MAX = 6


@pytest.fixture
def board(house, gateway, owner):
    """Two renewals that lacked money and one dead card; the ids of their recoveries."""
    with house.app_context():
        for faults, count in ((NO_FUNDS, 2), (STOPPED, 1)):
            for _ in range(count):
                make_subscription()
            gateway.faults(**faults)
            renew()
            payments = [row[0] for row in owner.execute("SELECT id FROM payments ORDER BY id")]
            charging.execute_attempts(attempt_ids(payments), by=WORKER)
        gateway.clear()
    return [row[0] for row in owner.execute("SELECT id FROM recoveries ORDER BY id")]


def test_the_board_and_the_list_tell_what_failed_and_what_follows(cs, board, statements):
    statements.clear()
    page = cs.get(BOARD).text
    assert len(statements) <= QUERIES_MAX, "\n".join(statements)
    assert "한도·잔액" in page
    assert "1차 실패" in page
    assert "카드가 만료되었거나 정지되었습니다" in page, "why a button cannot work"
    assert "김래원" not in page
    listed = cs.get(f"{BOARD}?view=list").text
    assert len(re.findall(r'<tr><th scope="row">', listed)) == 3
    funds = cs.get(f"{BOARD}?view=list&reason=funds").text
    assert len(re.findall(r'<tr><th scope="row">', funds)) == 2
    assert "조건에 맞는" in cs.get(f"{BOARD}?view=list&stage=third").text
    assert cs.get(f"{BOARD}?reason=nonsense").status_code == 422


def test_each_button_does_what_it_says(cs, board, owner, gateway):
    funds, other, dead = board
    tomorrow = (clock_day(owner) + timedelta(days=2)).isoformat()
    for act, form in (
        ("reschedule", {"day": tomorrow}),
        ("send_link", {}),
        ("retry", {}),
        ("open_ticket", {"because": "고객이 통화를 원함"}),
        ("suspend", {"because": "고객 요청으로 정지"}),
    ):
        done = cs.post(f"{BOARD}{funds}/{act}", form)
        assert done.status_code == 302, (act, done.text)
        assert cs.get(done.location).status_code == 200
    assert owner.execute("SELECT status FROM recoveries WHERE id = %s", [funds]).fetchone() == (
        "exhausted",
    )
    reasons = {row[0] for row in owner.execute("SELECT reason FROM tickets")}
    assert reasons == {"recovery_handed_over", "method_unusable"}
    refused = cs.post(f"{BOARD}{dead}/retry")
    assert refused.status_code == 409
    assert "링크를 보내세요" in refused.text
    assert cs.post(f"{BOARD}{dead}/snooze", {"until": "gestern"}).status_code == 422
    assert cs.post(f"{BOARD}{dead}/snooze", {}).status_code == 422
    assert cs.post(f"{BOARD}{other}/snooze", {"until": tomorrow}).status_code == 302
    assert f'href="{BOARD}{other}"' not in cs.get(f"{BOARD}?view=list").text, "put aside"
    assert f'href="{BOARD}{other}"' in cs.get(f"{BOARD}?view=list&snoozed=yes").text


def test_an_auditor_sees_the_board_and_touches_nothing(as_role, board):
    auditor = as_role("auditor")
    page = auditor.get(f"{BOARD}{board[0]}")
    assert page.status_code == 200
    assert "지금 다시 결제" not in page.text
    assert auditor.post(f"{BOARD}{board[0]}/retry").status_code == 403
    assert auditor.get(f"{POLICIES}new").status_code == 403


def policy_form(**changes: str) -> dict[str, str]:
    plain = {k: str(v) for k, v in asdict(SHIPPED).items() if isinstance(v, int)}
    return plain | {
        "name": "급여일 시험", "cohort": "A", "share": "", "wait-1": "48", "notice-1": "",
        "wait-2": "96", "notice-2": "recovery_last_warning", "final_action": "suspend",
        "paydays": "10, 25", "payday-1": "yes", "expiring_days": "60, 30, 7",
        "because": "급여일에 맞춰 다시 결제",
    } | changes  # fmt: skip


def test_a_version_is_drafted_tried_out_and_turned_on(as_role, board, owner):
    admin = as_role("admin")
    assert "+1일, +3일" in admin.get(POLICIES).text
    assert 'value="72"' in admin.get(f"{POLICIES}new").text
    saved = admin.post(f"{POLICIES}new", policy_form())
    assert saved.status_code == 302, saved.text
    draft = admin.get(saved.location).text
    assert "지난달 실패로 시험" in draft
    assert "이 버전 적용" not in draft
    tried = admin.get(f"{saved.location}?simulate=yes").text
    assert "결제 3건" in tried
    wish = {"because": "시험 결과 확인", "seen": "1"}
    assert admin.post(f"{saved.location}/activate", wish | {"seen": "0"}).status_code == 409
    assert admin.post(f"{saved.location}/activate", wish).status_code == 302
    active = owner.execute("SELECT version FROM recovery_policies WHERE status = 'active'")
    assert active.fetchall() == [(2,)]
    assert "+2일, +4일" in admin.get(POLICIES).text


def test_a_version_that_contradicts_itself_is_pointed_at_and_nothing_typed_is_lost(as_role, owner):
    admin = as_role("admin")
    for field, changes in (
        ("wait-1", {"wait-2": "24"}),
        ("ticket_at", {"ticket_at": "3", "notice-2": ""}),
        ("paydays", {"paydays": ""}),
        ("notice_days", {"notice_days": "x"}),
        ("share", {"cohort": "B"}),
        ("because", {"because": ""}),
        ("expiring_days", {"expiring_days": "60 und 30"}),
    ):
        answer = admin.post(f"{POLICIES}new", policy_form(**changes))
        assert answer.status_code == 422, field
        assert f'href="#{field}"' in answer.text, field
        assert "급여일 시험" in answer.text
    assert owner.execute("SELECT count(*) FROM recovery_policies").fetchone() == (1,)


def test_a_cohort_begins_and_ends(as_role, owner):
    admin = as_role("admin")
    saved = admin.post(f"{POLICIES}new", policy_form(cohort="B", share="20")).location
    wish = {"because": "둘을 비교", "seen": "0"}
    assert admin.post(f"{saved}/activate", wish).status_code == 302
    assert "20%" in admin.get(POLICIES).text
    assert admin.post(f"{saved}/end", {"because": "비교가 끝남"}).status_code == 302
    other = admin.post(f"{POLICIES}new", policy_form()).location
    assert admin.post(f"{other}/discard").status_code == 302
    found = owner.execute("SELECT status FROM recovery_policies ORDER BY version").fetchall()
    assert found == [("active",), ("retired",), ("retired",)]


def clock_day(owner):
    return owner.execute("SELECT (ops_now() AT TIME ZONE 'Asia/Seoul')::date").fetchone()[0]
