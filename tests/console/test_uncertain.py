import re

import pytest

HIDDEN = re.compile(r'name="(request_id|seen)"[^>]*value="([^"]*)"')
DESK = "/console/payments/uncertain"
FOUND = {"evidence": "문의 20261122-17", "reason": "관리자 화면에서 승인 확인"}


@pytest.fixture
def stuck(scene, owner):
    """The gateway approved it; the answer was lost, and no look is left."""
    [(attempt_id,)] = owner.execute(
        "UPDATE attempts SET status = 'needs_human', leased_until = NULL"
        " WHERE payment_id = %s RETURNING id",
        [scene.uncertain],
    ).fetchall()
    return attempt_id


def evidence(visitor, attempt_id):
    return visitor.get(f"{DESK}/attempt/{attempt_id}/gateway")


def decision(visitor, attempt_id, **changes):
    form = dict(HIDDEN.findall(evidence(visitor, attempt_id).text)) | FOUND
    return visitor.post(f"{DESK}/attempt/{attempt_id}", form | changes)


def test_the_desk_lists_what_is_uncertain_oldest_age_and_next_look(cs, scene):
    page = cs.get(f"{DESK}/")
    assert page.status_code == 200
    for text in ("확인 필요", "359,000원", "토스페이먼츠", "J********h"):
        assert text in page.text, text
    assert cs.get(f"{DESK}/?tab=person").text.count("<tr>") == 0
    assert cs.get(f"{DESK}/?tab=nonsense").status_code == 422


def test_the_page_asks_the_gateway_only_after_it_is_there(cs, stuck):
    page = cs.get(f"{DESK}/attempt/{stuck}").text
    assert f'hx-get="{DESK}/attempt/{stuck}/gateway"' in page
    assert "결제사 기록: 승인" not in page
    assert "결제사 기록: 승인" in evidence(cs, stuck).text
    assert "결제사 기록: 승인" in cs.get(f"{DESK}/attempt/{stuck}?look=yes").text


def test_only_finance_and_administrators_decide(as_role, stuck):
    assert 'name="outcome"' not in evidence(as_role("cs"), stuck).text
    assert as_role("cs").post(f"{DESK}/attempt/{stuck}", FOUND).status_code == 403
    assert 'name="outcome"' in evidence(as_role("finance"), stuck).text


def test_a_decision_is_booked_and_shown_with_its_evidence(as_role, stuck, scene, owner):
    finance = as_role("finance")
    assert decision(finance, stuck, outcome="approved").status_code == 302
    page = finance.get(f"{DESK}/attempt/{stuck}").text
    assert "문의 20261122-17" in page
    assert 'name="outcome"' not in page
    paid = owner.execute("SELECT status FROM payments WHERE id = %s", [scene.uncertain]).fetchone()
    assert paid == ("paid",)


def test_what_contradicts_the_gateway_cannot_be_chosen_nor_sent(as_role, stuck):
    finance = as_role("finance")
    shown = evidence(finance, stuck).text
    assert re.search(r'value="not_charged"\s+disabled', shown)
    answer = decision(finance, stuck, outcome="not_charged")
    assert answer.status_code == 422
    assert "결제사의 응답과 맞지 않아" in answer.text


def test_evidence_that_changed_meanwhile_is_shown_anew_and_the_words_are_kept(
    as_role, stuck, owner
):
    finance = as_role("finance")
    answer = decision(finance, stuck, outcome="approved", seen="0" * 64)
    assert answer.status_code == 409
    assert "근거가 바뀌었습니다" in answer.text
    assert FOUND["reason"] in answer.text
    fresh = dict(HIDDEN.findall(answer.text))
    assert fresh["seen"] == dict(HIDDEN.findall(evidence(finance, stuck).text))["seen"]


def test_a_decision_without_evidence_is_sent_back(as_role, stuck):
    answer = decision(as_role("finance"), stuck, outcome="approved", evidence=" ")
    assert answer.status_code == 422
    assert "근거를 하나 이상" in answer.text


def test_before_a_refund_the_panel_waits_for_the_answer(cs, scene):
    page = cs.get(f"/console/payments/{scene.uncertain}").text
    assert f'hx-get="/console/payments/{scene.uncertain}/refunds/panel"' in page
    assert page.count('name="request_id"') == 1, "that of the note"


def test_every_page_of_the_desk_speaks_english_too(as_role, stuck):
    finance = as_role("finance")
    finance.post("/console/preferences/", {"locale": "en", "next": "/console/"})
    page = finance.get(f"{DESK}/attempt/{stuck}?look=yes").text
    assert "Decide and book it" in page
