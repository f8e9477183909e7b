from datetime import timedelta

from opsapp.kernel import clock, jobs, leadership
from opsapp.kernel.db import transaction
from tests.factories.payments import make_payments


def test_a_living_process_says_so_without_asking_anybody(anybody, statements):
    statements.clear()
    assert anybody.get("/healthz").json == {"status": "ok"}
    assert statements == []


def test_it_is_ready_once_a_scheduler_leads(house, anybody):
    answer = anybody.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "ready": False, "database": True, "redis": True, "scheduler": False, "migrations": True,
    }  # fmt: skip
    with house.app_context(), transaction():
        leadership.note_tick("here:1", is_leader=True)
    assert anybody.get("/readyz").status_code == 200


def test_a_leader_long_silent_does_not_count(house, anybody, owner):
    with house.app_context(), transaction():
        leadership.note_tick("here:1", is_leader=True)
    owner.execute("UPDATE scheduler_heartbeats SET seen_at = now() - interval '31 seconds'")
    assert anybody.get("/readyz").json["scheduler"] is False


def test_metrics_count_what_is_due_and_hold_no_personal_data(anybody, scene):
    text = anybody.get("/metrics").text
    assert 'opsapp_due_rows{table="attempts"}' in text
    assert "C-100" not in text


def test_with_redis_away_the_queue_page_works_and_says_so(house, cs, scene, settings):
    jobs.connect("redis://127.0.0.1:1/0")
    try:
        page = cs.get("/console/jobs/")
        assert page.status_code == 200
        assert "작업 대기열 연결 끊김" in page.text
        assert "응답 없음" in page.text
        assert cs.get("/console/").status_code == 200
    finally:
        jobs.connect(settings.redis_url)


def test_a_refund_requested_with_redis_away_is_saved_and_says_what_waits(
    cs, scene, settings, owner
):
    page = cs.get(f"/console/payments/{scene.paid}").text
    hidden = {
        name: page.split(f'name="{name}"')[1].split('value="')[1].split('"')[0]
        for name in ("request_id", "seen", "currency")
    }
    jobs.connect("redis://127.0.0.1:1/0")
    try:
        answer = cs.post(
            f"/console/payments/{scene.paid}/refunds",
            hidden | {"kind": "full", "reason_code": "defective"},
            headers={"HX-Request": "true"},
        )
    finally:
        jobs.connect(settings.redis_url)
    assert answer.status_code == 202
    assert "요청은 저장되었고 복구되면 실행됩니다" in answer.text
    assert owner.execute("SELECT count(*) FROM refunds").fetchone() == (2,)


def test_a_moved_business_clock_makes_no_job_look_old(house, as_role, scene):
    with house.app_context(), transaction():
        clock.advance(timedelta(days=90))
    page = as_role("admin").get("/console/jobs/").text
    assert "개월" not in page[page.index('id="recent"') :]


def test_the_age_of_due_work_is_counted_on_the_business_clock(house, anybody):
    with house.app_context(), transaction():
        clock.advance(timedelta(days=90))
    with house.app_context():
        make_payments()
    ages = [
        int(line.split()[-1])
        for line in anybody.get("/metrics").text.splitlines()
        if line.startswith("opsapp_oldest_due_seconds")
    ]
    assert max(ages) < 60
