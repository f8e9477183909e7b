"""Billing runs and the billing calendar on the screen: who may hold a run, and what each counts."""

import re

RUN = "/console/jobs/runs/1"
CALENDAR = "/console/subscriptions/calendar/"
QUERIES_MAX = 8  # the sign-in's own and the clock's among them


def status(owner):
    return owner.execute("SELECT status FROM billing_runs").fetchone()[0]


def test_a_run_shows_its_bar_its_outcomes_and_its_months_sums(as_role, scene):
    finance = as_role("finance")
    page = finance.get(RUN).text
    assert "1건 중 0건 응답 받음" in page
    assert '<progress id="settled"' in page
    assert 'data-live="/console/jobs/runs/1/progress"' in page
    listed = finance.get("/console/jobs/runs/").text
    assert "처리 중" in listed
    assert "9,900원" in listed


def test_a_run_is_held_and_let_go_on_after_a_review_with_a_reason(as_role, scene, owner):
    finance = as_role("finance")
    review = finance.get(f"{RUN}/pause").text
    assert "만들었지만 보내지 않은 결제" in review
    assert finance.post(f"{RUN}/pause", {"because": "금액 확인"}).status_code == 302
    assert status(owner) == "paused"
    page = finance.get(RUN).text
    assert "직원이 멈춤" in page
    assert "금액 확인" in page
    assert finance.post(f"{RUN}/pause", {"because": "한 번 더 누름"}).status_code == 409
    assert finance.post(f"{RUN}/resume", {"because": "확인 끝남"}).status_code == 302
    assert status(owner) == "running"


def test_a_reason_is_asked_for_and_without_the_right_nothing_happens(as_role, scene, owner):
    assert as_role("admin").post(f"{RUN}/pause", {"because": ""}).status_code == 422
    cs = as_role("cs")
    assert f"{RUN}/pause" not in cs.get(RUN).text
    assert cs.get(f"{RUN}/pause").status_code == 403
    assert cs.post(f"{RUN}/pause", {"because": "금액 확인"}).status_code == 403
    assert status(owner) == "running"


def test_looking_at_the_progress_keeps_no_sign_in_alive(cs, scene, owner):
    owner.execute("UPDATE staff_sessions SET last_seen_at = now() - interval '10 minutes'")
    assert "응답 받음" in cs.get(f"{RUN}/progress").text
    seen = "SELECT now() - last_seen_at < interval '1 minute' FROM staff_sessions"
    assert owner.execute(seen).fetchone() == (False,)


def test_catching_up_is_offered_and_approved_for_all_that_are_behind(as_role, scene, owner):
    owner.execute(
        "UPDATE subscriptions SET is_behind = true, next_period_index = 1, "
        "anchor_on = anchor_on - 70 WHERE id = %s",
        [scene.subscription],
    )
    admin = as_role("admin")
    assert "구독 1건 밀린 회차 결제 승인" in admin.get("/console/jobs/runs/").text
    answer = admin.post("/console/jobs/runs/catch-up", {"because": "고객과 합의함"})
    assert answer.status_code == 302
    [(to,)] = owner.execute("SELECT catch_up_to FROM subscriptions WHERE catch_up_to > 0")
    assert to == 2
    again = admin.post("/console/jobs/runs/catch-up", {"because": "고객과 합의함"})
    assert again.status_code == 409
    assert "승인이 필요한 밀린 구독이 없습니다." in again.text


def test_a_cell_of_the_calendar_leads_to_what_it_counts(as_role, scene, owner):
    owner.execute("UPDATE payments SET subject_type = 'subscription', subject_id = 1, "
                  "period_index = id WHERE subject_type <> 'subscription'")  # fmt: skip
    owner.execute("UPDATE subscriptions SET next_due_at = ops_now() WHERE status = 'active'")
    cs = as_role("cs")
    month = cs.get(CALENDAR).text
    for shown in ("planned", "paid", "failed", "refunded"):
        found = re.search(rf'href="([^"]*show={shown})"><small>[^<]*</small> ([0-9]+)<', month)
        assert found, shown
        day = cs.get(found[1].replace("&amp;", "&")).text
        assert day.count('<th scope="row">') == int(found[2])


def test_the_calendar_takes_a_month_and_sums_and_refuses_nonsense(as_role, scene):
    cs = as_role("cs")
    assert "2024-02" in cs.get(f"{CALENDAR}?month=2024-02&in=amount").text
    assert cs.get(f"{CALENDAR}?month=2024-13").status_code == 422
    assert cs.get(f"{CALENDAR}day?show=nothing").status_code == 422


def test_each_of_these_pages_asks_the_database_a_few_things(cs, scene, statements):
    for path in (RUN, "/console/jobs/runs/", CALENDAR, f"{CALENDAR}day"):
        cs.get(path)
        statements.clear()
        assert cs.get(path).status_code == 200
        assert len(statements) <= QUERIES_MAX, (path, statements)
