"""Bulk acts at the screen: the server asks the filter again, and follows each row."""

import re

import pytest

from opsapp.bulk import running
from opsapp.kernel.actors import Actor

REVIEW = "/console/jobs/bulk/review"
WORKER = Actor("worker", "test")


def hidden(page: str, *names: str) -> dict[str, str]:
    return {
        name: re.search(rf'name="{name}" value="([^"]*)"', page)[1]
        for name in ("request_id", "seen_total", "scope", "tab", "q", "act", *names)
    }


def status(owner, subscription_id):
    [(found,)] = owner.execute(
        "SELECT status FROM subscriptions WHERE id = %s", (subscription_id,)
    ).fetchall()
    return found


def test_all_that_fit_are_shown_then_done_with_a_result_for_each(house, cs, scene, owner):
    page = cs.post(REVIEW, {"act": "pause", "scope": "all"}).text
    assert "1건 일시정지" in page
    assert "그대로 둠" in page, "the one that is paused already is told apart"
    assert status(owner, scene.subscription) == "active", "looking changes nothing"
    answer = cs.post("/console/jobs/bulk/", hidden(page) | {"because": "행사 종료"})
    assert answer.status_code == 302
    with house.app_context():
        running.run_jobs([int(answer.location.rsplit("/", 1)[1])], by=WORKER)
    assert status(owner, scene.subscription) == "paused"
    done = cs.get(answer.location).text
    assert "완료" in done
    assert "행사 종료" in done
    assert "2건" in done
    assert answer.location in cs.get("/console/jobs/bulk/").text


def test_the_filter_is_asked_again_when_it_is_confirmed(cs, scene, owner):
    page = cs.post(REVIEW, {"act": "cancel", "scope": "all", "tab": "active"}).text
    cs.post(f"/console/subscriptions/{scene.subscription}/pause")
    answer = cs.post("/console/jobs/bulk/", hidden(page) | {"because": "정리"})
    assert answer.status_code == 409
    assert "조건에 맞는 구독이 없습니다" in answer.text
    assert owner.execute("SELECT count(*) FROM bulk_jobs").fetchone() == (0,)


def test_chosen_rows_that_the_list_does_not_hold_are_left_out(cs, scene):
    chosen = {"act": "pause", "id": [str(scene.subscription), "999999"], "tab": "active"}
    assert "1건 일시정지" in cs.post(REVIEW, chosen).text


@pytest.mark.parametrize(
    "wrong", [{"act": "refund"}, {"act": "pause", "scope": "rest"}, {"act": "pause", "id": "x"}]
)
def test_what_no_list_sends_is_refused_by_name(cs, scene, wrong):
    assert cs.post(REVIEW, wrong).status_code == 422


def test_a_reason_is_asked_for(cs, scene, owner):
    page = cs.post(REVIEW, {"act": "pause", "scope": "all"}).text
    answer = cs.post("/console/jobs/bulk/", hidden(page) | {"because": " "})
    assert answer.status_code == 422
    assert owner.execute("SELECT count(*) FROM bulk_jobs").fetchone() == (0,)
