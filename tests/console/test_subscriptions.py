import pytest

HX = {"HX-Request": "true"}


def status(owner, subscription_id):
    return owner.execute(
        "SELECT status FROM subscriptions WHERE id = %s", (subscription_id,)
    ).fetchone()[0]


@pytest.mark.parametrize(("action", "after"), [("pause", "paused"), ("cancel", "cancelled")])
def test_an_act_is_previewed_then_done_and_logged_with_its_person(cs, scene, owner, action, after):
    path = f"/console/subscriptions/{scene.subscription}/{action}"
    preview = cs.get(path, headers=HX).text
    assert "9,900원" in preview
    assert "없음" in preview
    assert status(owner, scene.subscription) == "active", "looking changes nothing"
    answer = cs.post(path, headers=HX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (
        204,
        f"/console/subscriptions/{scene.subscription}?done={action}",
    )
    assert status(owner, scene.subscription) == after
    [(actor,)] = owner.execute(
        "SELECT actor FROM audit_entries WHERE action = %s AND subject_id = %s",
        (f"subscription.{after}", scene.subscription),
    ).fetchall()
    assert actor.startswith("staff:")


def test_a_paused_subscription_is_resumed_without_script(cs, scene, owner):
    path = f"/console/subscriptions/{scene.paused}/resume"
    assert "<html" in cs.get(path).text
    assert cs.post(path).status_code == 302
    assert status(owner, scene.paused) == "active"


def test_what_is_not_possible_any_more_is_refused_in_plain_words(cs, scene, owner):
    path = f"/console/subscriptions/{scene.subscription}"
    cs.post(f"{path}/cancel", headers=HX)
    answer = cs.post(f"{path}/pause", headers=HX)
    assert answer.status_code == 409
    assert "해지" in answer.text
    assert "현재 상태에서는 할 수 없습니다" in cs.get(f"{path}/pause", headers=HX).text


def test_charging_now_waits_for_the_charge_that_is_under_way(cs, scene):
    answer = cs.post(f"/console/subscriptions/{scene.subscription}/charge_now", headers=HX)
    assert answer.status_code == 409
    assert "아직 처리 중" in answer.text


def test_lists_find_a_subscription_by_customer_and_tab(cs, scene):
    mine = f'href="/console/subscriptions/{scene.subscription}"'
    for query in ("", "?tab=active", "?q=C-1005", "?q=하늘", "?q=5682"):
        assert mine in cs.get(f"/console/subscriptions/{query}").text, query
    for query in ("?tab=paused", "?q=C-1001"):
        assert mine not in cs.get(f"/console/subscriptions/{query}").text, query


def test_a_cancel_says_that_nothing_is_left_and_what_was_taken_back(cs, scene):
    path = f"/console/subscriptions/{scene.subscription}"
    preview = cs.get(f"{path}/cancel", headers=HX).text
    assert "예정된 결제" in preview
    done = cs.post(f"{path}/cancel", follow_redirects=True).text
    assert "남은 예약 0건." in done
    assert "예정된 결제 1 → 0" in done


def test_blocks_lie_beside_each_other_and_are_lifted_one_by_one(cs, scene, owner):
    path = f"/console/subscriptions/{scene.subscription}"
    assert cs.post(f"{path}/hold", {"because": " "}, headers=HX).status_code == 422
    page = cs.post(f"{path}/hold", {"because": "도난 신고"}, follow_redirects=True).text
    assert "직원이 결제 보류" in page
    assert "도난 신고" in page
    assert f'href="{path}/charge_now"' not in page
    assert cs.post(f"{path}/pause", {"until": "2000-01-01"}, headers=HX).status_code == 422
    pause = {"until": "2099-12-31", "open_retries": "keep"}
    page = cs.post(f"{path}/pause", pause, follow_redirects=True).text
    assert "2099-12-31에 자동으로 다시 시작" in page
    cs.post(f"{path}/release", {"because": "오해였음"})
    assert status(owner, scene.subscription) == "paused"
    assert cs.post(f"{path}/resume").status_code == 302
    assert status(owner, scene.subscription) == "active"


def test_a_cancellation_at_the_end_of_the_period_is_taken_back(cs, scene, owner):
    path = f"/console/subscriptions/{scene.subscription}"
    assert "이용 기간" in cs.get(f"{path}/cancel_at_period_end", headers=HX).text
    page = cs.post(f"{path}/cancel_at_period_end", follow_redirects=True).text
    assert "이번 회차까지 이용한 뒤 해지됩니다." in page
    assert f'href="{path}/pause"' not in page
    cs.post(f"{path}/keep")
    assert status(owner, scene.subscription) == "active"
