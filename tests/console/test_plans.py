"""Plans with their versions, and changes of subscriptions, as staff see and make them."""

import re
from datetime import timedelta

import pytest

SEEN = re.compile(r'name="seen" value="([0-9a-f]{64})"')


@pytest.fixture
def plan(owner, scene):
    """The plan of the scene's subscription, and today in Seoul."""
    return owner.execute(
        "SELECT plan_id, (ops_now() AT TIME ZONE 'Asia/Seoul')::date FROM subscriptions"
        " WHERE id = %s",
        (scene.subscription,),
    ).fetchone()


def statuses(owner):
    return [status for (status,) in owner.execute("SELECT status FROM subscription_changes")]


def test_a_change_is_shown_with_its_figures_before_it_is_confirmed(cs, scene, owner):
    path = f"/console/subscriptions/{scene.subscription}/change"
    assert "요금제와 수량" in cs.get(path).text
    wish = {"quantity": "3", "when": "period_end"}
    page = cs.get(path, query_string=wish).text
    assert "29,700원" in page
    assert statuses(owner) == [], "looking changes nothing"
    form = wish | {"seen": SEEN.search(page)[1], "because": "고객 요청"}
    silent = cs.post(path, form | {"because": " "})
    assert (silent.status_code, statuses(owner)) == (422, [])
    answer = cs.post(path, form)
    assert (answer.status_code, answer.location) == (302, f"{path}?done=changed")
    assert statuses(owner) == ["planned"]
    assert "변경 예정" in cs.get(f"/console/subscriptions/{scene.subscription}").text
    [(change_id,)] = owner.execute("SELECT id FROM subscription_changes").fetchall()
    withdraw = f"/console/subscriptions/{scene.subscription}/changes/{change_id}/withdraw"
    assert cs.post(withdraw, {"because": "취소 요청"}).status_code == 302
    assert statuses(owner) == ["withdrawn"]
    again = cs.post(withdraw, {"because": "취소 요청"})
    assert (again.status_code, "더 이상 취소할 수 없습니다" in again.text) == (409, True)


def test_a_stale_screen_is_refused_and_shows_the_figures_of_now(cs, scene, owner):
    path = f"/console/subscriptions/{scene.subscription}/change"
    wish = {"quantity": "3", "when": "period_end", "seen": "0" * 64, "because": "고객 요청"}
    answer = cs.post(path, wish)
    assert answer.status_code == 409
    assert "금액이 바뀌어" in answer.text
    assert SEEN.search(answer.text)
    assert statuses(owner) == []


def test_what_makes_no_sense_is_refused_in_plain_words(cs, scene):
    path = f"/console/subscriptions/{scene.subscription}/change"
    for query, said in (
        ({"quantity": "0"}, "1에서 10,000"),
        ({"quantity": "viele"}, "viele"),
        ({"anchor_day": "32"}, "1에서 31"),
        ({"quantity": "1"}, "지금 구독과 같은"),
        ({"plan_id": "999999"}, "999999"),
        ({"quantity": "2", "when": "yesterday"}, "다음 회차"),
    ):
        answer = cs.get(path, query_string=query)
        assert answer.status_code in (404, 422), query
        assert said in answer.text, query


def test_a_version_is_reviewed_with_whom_it_reaches_then_added_once(as_role, plan, owner):
    admin, (plan_id, today) = as_role("admin"), plan
    home = f"/console/settings/plans/{plan_id}"
    form = {
        "amount": "12,000원", "effective_on": str(today + timedelta(days=40)), "trial_days": "7",
        "term_periods": "", "applies_to_existing": "y", "seen_version": "1",
    }  # fmt: skip
    reviewed = admin.post(f"{home}/versions/review", form)
    assert reviewed.status_code == 200
    assert re.search(r"인상 대상[^<]*</dt><dd>[1-9]", reviewed.text)
    assert re.search(r"인하 대상</dt><dd>0<", reviewed.text)
    assert owner.execute("SELECT count(*) FROM plan_versions").fetchone() == (0,)
    assert admin.post(f"{home}/versions/add", form).status_code == 302
    again = admin.post(f"{home}/versions/add", form)
    assert (again.status_code, "바뀌어" in again.text) == (409, True)
    assert owner.execute("SELECT amount_minor, trial_days FROM plan_versions").fetchall() == [
        (12_000, 7)
    ]
    assert set(statuses(owner)) == {"planned"}
    page = admin.get(home).text
    assert "변경 예정" in page
    assert "12,000원" in admin.get("/console/settings/plans/").text


def test_a_version_that_cannot_be_is_refused_at_its_field(as_role, plan, owner):
    admin, (plan_id, today) = as_role("admin"), plan
    form = {
        "amount": "12,000",
        "effective_on": str(today + timedelta(days=40)),
        "trial_days": "0",
        "term_periods": "",
        "seen_version": "1",
    }
    for wrong, said in (
        ({"amount": "free"}, "숫자로"),
        ({"effective_on": "soon"}, "적용 시작일을 입력"),
        ({"effective_on": "2020-01-01"}, "이후여야"),
        ({"trial_days": "-1"}, "일수를"),
    ):
        answer = admin.post(f"/console/settings/plans/{plan_id}/versions/add", form | wrong)
        assert answer.status_code == 422, wrong
        assert said in answer.text, wrong
    assert owner.execute("SELECT count(*) FROM plan_versions").fetchone() == (0,)


def test_plans_are_shown_with_few_questions(as_role, plan, statements):
    auditor = as_role("auditor")
    auditor.get("/console/settings/plans/")
    for path, most in (("/console/settings/plans/", 6), (f"/console/settings/plans/{plan[0]}", 8)):
        del statements[:]
        page = auditor.get(path)
        assert page.status_code == 200
        assert "새 버전 추가" not in page.text
        asked = [s for s in statements if s.lstrip().upper().startswith("SELECT")]
        assert len(asked) <= most, asked
