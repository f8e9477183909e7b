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
