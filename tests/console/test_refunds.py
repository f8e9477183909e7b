import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factories.payments import payment

HX = {"HX-Request": "true"}
HIDDEN = re.compile(r'name="(request_id|seen|currency)"[^>]*value="([^"]*)"')


def panel(visitor, payment_id):
    page = visitor.get(f"/console/payments/{payment_id}").text
    return dict(HIDDEN.findall(page))


def wish(visitor, payment_id, **changes):
    form = {"kind": "partial", "amount": "9,000", "reason_code": "customer_wish"}
    return panel(visitor, payment_id) | form | changes


def refunds(owner):
    return owner.execute("SELECT amount_minor, reason, requested_by FROM refunds").fetchall()


def test_a_review_says_what_will_happen_and_writes_nothing(cs, scene, owner):
    before = refunds(owner)
    page = cs.post(
        f"/console/payments/{scene.paid}/refunds/review", wish(cs, scene.paid), headers=HX
    )
    assert page.status_code == 200
    for text in ("-9,000원", "120,000원", "9,000원 환불", "고객 변심", "홍*동"):
        assert text in page.text, text
    assert refunds(owner) == before


def test_a_confirmed_refund_is_saved_once_and_shows_its_progress(house, cs, scene, owner):
    form = wish(cs, scene.paid, reason_text="색상이 다름")
    path = f"/console/payments/{scene.paid}/refunds"
    answers = [cs.post(path, form, headers=HX) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert "요청됨" in answers[0].text
    assert 'hx-trigger="load delay:2s"' in answers[0].text
    assert [row[:2] for row in refunds(owner)] == [
        (12_000, "고객 변심"), (9_000, "고객 변심: 색상이 다름"),
    ]  # fmt: skip
    with house.app_context():
        assert payment(scene.paid).refund_pending_minor == 9_000


def test_a_double_click_is_one_refund(cs, scene, owner):
    form = wish(cs, scene.paid) | {"csrf_token": cs.token()}
    path = f"/console/payments/{scene.paid}/refunds"
    cookies = "; ".join(f"{c.key}={c.value}" for c in cs.client._cookies.values())
    app = cs.client.application

    def click(_):
        client = app.test_client(use_cookies=False)
        return client.post(path, data=form, headers=HX | {"Cookie": cookies}).status_code

    with ThreadPoolExecutor(4) as hands:
        assert set(hands.map(click, range(4))) == {202}
    assert len(refunds(owner)) == 2


def test_a_screen_that_is_out_of_date_is_refused_with_the_new_figure(cs, scene, owner):
    stale = wish(cs, scene.paid)
    assert cs.post(
        f"/console/payments/{scene.paid}/refunds", wish(cs, scene.paid), headers=HX
    ).status_code == 202  # fmt: skip
    owner.execute("UPDATE refunds SET status = 'refused'")  # nothing is under way any more
    for step in ("/review", ""):
        answer = cs.post(f"/console/payments/{scene.paid}/refunds{step}", stale, headers=HX)
        assert answer.status_code == 409
        assert "129,000원에서 120,000원" in answer.text
        assert dict(HIDDEN.findall(answer.text))["seen"] == "120000", "the form shows what is left"


def test_two_people_refund_and_the_second_is_told_of_the_first(as_role, scene, owner):
    first, second = as_role("cs"), as_role("finance")
    forms = [wish(visitor, scene.paid) for visitor in (first, second)]
    path = f"/console/payments/{scene.paid}/refunds"
    assert first.post(path, forms[0], headers=HX).status_code == 202
    answer = second.post(path, forms[1], headers=HX)
    assert answer.status_code == 409
    assert "9,000원 환불이 아직 처리 중" in answer.text
    assert len(refunds(owner)) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": ""}, "금액을 숫자로"),
        ({"amount": "0"}, "금액을 숫자로"),
        ({"amount": "-5"}, "금액을 숫자로"),
        ({"amount": "12.5"}, "금액을 숫자로"),
        ({"amount": "129,001"}, "환불 가능 금액보다 큽니다"),
        ({"reason_code": ""}, "사유를 선택하세요"),
        ({"reason_code": "other"}, "사유를 적어 주세요"),
        ({"reason_text": "가" * 151}, "150자까지"),
    ],
)
def test_a_wrong_entry_keeps_the_form_and_names_the_field(cs, scene, owner, changes, words):
    for step in ("/review", ""):
        answer = cs.post(
            f"/console/payments/{scene.paid}/refunds{step}",
            wish(cs, scene.paid, **changes),
            headers=HX,
        )
        assert answer.status_code == 422
        assert words in answer.text
        assert "입력 내용을 확인하세요" in answer.text
        assert "<html" not in answer.text, "the fragment alone"
    assert len(refunds(owner)) == 1


def test_without_script_the_same_steps_are_whole_pages(cs, scene, owner):
    form = wish(cs, scene.paid)
    page = cs.post(f"/console/payments/{scene.paid}/refunds/review", form)
    assert "<html" in page.text
    assert "9,000원 환불" in page.text
    answer = cs.post(f"/console/payments/{scene.paid}/refunds", form)
    assert (answer.status_code, answer.location) == (302, f"/console/payments/{scene.paid}")
    assert len(refunds(owner)) == 2


def test_looks_at_a_refund_under_way_slow_down_and_end(cs, scene, owner):
    owner.execute("UPDATE refunds SET status = 'inflight' WHERE id = %s", (scene.refund,))
    path = f"/console/refunds/{scene.refund}/progress"
    waits = [
        int(re.search(r"load delay:(\d+)s", cs.get(f"{path}?turn={turn}").text)[1])
        for turn in range(8)
    ]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2, 10)
    owner.execute("UPDATE refunds SET status = 'succeeded' WHERE id = %s", (scene.refund,))
    assert "hx-trigger" not in cs.get(path).text


def test_a_payment_without_money_offers_no_refund(cs, scene):
    for payment_id in (scene.failed, scene.awaiting, scene.uncertain):
        assert "seen" not in panel(cs, payment_id)


def test_an_auditor_sees_the_payment_and_no_refund_panel(as_role, scene):
    page = as_role("auditor").get(f"/console/payments/{scene.paid}").text
    assert 'id="refund"' not in page


@pytest.mark.parametrize("typed", ["3000", "3,000", "3,000원", "₩3,000", " 3000 "])
def test_an_amount_is_taken_as_people_write_it(cs, scene, owner, typed):
    form = wish(cs, scene.paid, amount=typed)
    answer = cs.post(f"/console/payments/{scene.paid}/refunds/review", form, headers=HX)
    assert "3,000원 환불" in answer.text


def test_what_was_written_survives_a_conflict_and_the_way_back(cs, scene, owner):
    note = "색상이 다름"
    stale = wish(cs, scene.paid, seen="129001", reason_text=note)
    for step in ("/review", ""):
        answer = cs.post(f"/console/payments/{scene.paid}/refunds{step}", stale, headers=HX)
        assert (answer.status_code, note in answer.text) == (409, True), step
