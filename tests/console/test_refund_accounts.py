"""A deposit's way back: asked for in the console, named on a phone, carried out by a worker."""

import re

import pytest

from opsapp.kernel.actors import Actor
from opsapp.notifications import delivering
from opsapp.payments import charging, refunding
from tests.factories import payments as make

HX = {"HX-Request": "true"}
HIDDEN = re.compile(r'name="(request_id|seen|currency)"[^>]*value="([^"]*)"')
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
WORKER = Actor("worker", "test")
OWN = {"bank": "04", "number": "123-456-7890", "holder": "김민"}


@pytest.fixture
def texts(monkeypatch):
    """What is written to customers, caught where it leaves the building."""
    sent = []
    compose = delivering.wording.compose

    def note(**values):
        message = compose(**values)
        sent.append(message.text)
        return message

    monkeypatch.setattr(delivering.wording, "compose", note)
    return sent


@pytest.fixture
def deposited(house, scene, gateway):
    with house.app_context():
        gateway.deposit(orderId=make.order_ids([scene.awaiting])[0])
        make.make_everything_due()
        charging.execute_attempts(make.attempt_ids([scene.awaiting]), by=WORKER)
        assert make.payment(scene.awaiting).status == "paid"
    return scene.awaiting


def ask_for_refund(cs, payment_id, **changes):
    page = cs.get(f"/console/payments/{payment_id}").text
    form = dict(HIDDEN.findall(page)) | {"kind": "full", "reason_code": "customer_wish"}
    return cs.post(f"/console/payments/{payment_id}/refunds", form | changes, headers=HX)


def send_mail(house, owner):
    with house.app_context():
        ids = [row[0] for row in owner.execute("SELECT id FROM notices WHERE status = 'queued'")]
        delivering.send_notices(ids, by=WORKER)


def address_in(texts):
    return re.findall(r"/my/refund-account/[\w-]+", "\n".join(texts))[-1]


def carry_out(house, owner):
    with house.app_context():
        ids = [row[0] for row in owner.execute("SELECT id FROM refunds WHERE status = 'requested'")]
        refunding.execute_refunds(ids, by=WORKER)


def give(house, address, **changes):
    phone = house.test_client()
    page = phone.get(address)
    form = OWN | changes | {"csrf_token": TOKEN.search(page.text)[1]}
    return phone.post(address, data=form)


def status_of(owner):
    return owner.execute("SELECT status FROM refunds ORDER BY id DESC LIMIT 1").fetchone()[0]


def test_from_the_console_through_the_customers_link_to_the_gateway(
    house, cs, deposited, owner, texts
):
    page = cs.get(f"/console/payments/{deposited}").text
    assert "은행 계좌로 환불됩니다" in page
    answer = ask_for_refund(cs, deposited)
    assert answer.status_code == 202
    assert "환불 계좌 대기" in answer.text
    send_mail(house, owner)
    address = address_in(texts)
    token = address.rpartition("/")[2]
    phone = house.test_client()
    page = phone.get(address)
    assert page.status_code == 200
    assert "210,000원" in page.text
    assert "김*" in page.text
    assert "김민" not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    done = give(house, address)
    assert done.status_code == 200
    assert "1234567890" not in done.text
    assert phone.get(address).status_code == 404, "the link worked once"
    carry_out(house, owner)
    assert status_of(owner) == "succeeded"
    page = cs.get(f"/console/payments/{deposited}").text
    assert "******7890" in page
    assert "1234567890" not in page
    for table in ("notices", "one_time_links", "refunds", "audit_entries", "outbox_jobs"):
        rows = repr(owner.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608
        assert token not in rows, table
        assert "1234567890" not in rows, table


def test_a_wrong_entry_keeps_the_page_and_names_the_field(house, cs, deposited, owner, texts):
    ask_for_refund(cs, deposited)
    send_mail(house, owner)
    address = address_in(texts)
    for changes, words in (
        ({"bank": ""}, "은행을 선택해 주세요"),
        ({"bank": "99"}, "aria-invalid"),
        ({"number": "12a"}, "숫자 1~20자리"),
        ({"holder": " "}, "예금주를 60자 이내"),
    ):
        answer = give(house, address, **changes)
        assert answer.status_code == 422
        assert words in answer.text, changes
    assert status_of(owner) == "awaiting_account"


def test_a_form_without_its_token_is_refused(house, cs, deposited, owner, texts):
    ask_for_refund(cs, deposited)
    send_mail(house, owner)
    assert house.test_client().post(address_in(texts), data=OWN).status_code == 400
    assert status_of(owner) == "awaiting_account"


def test_an_unknown_link_says_nothing_and_guessing_is_braked(house):
    phone = house.test_client()
    pages = [phone.get(f"/my/refund-account/{'x' * 43}{n}") for n in range(11)]
    assert [page.status_code for page in pages] == [404] * 10 + [429]
    assert len({page.text for page in pages[:10]}) == 1


def test_another_name_is_shown_masked_to_staff_who_confirm_it(house, cs, deposited, owner, texts):
    ask_for_refund(cs, deposited)
    send_mail(house, owner)
    give(house, address_in(texts), holder="박하늘")
    page = cs.get(f"/console/payments/{deposited}").text
    assert "예금주가 고객 이름과 다릅니다" in page
    assert "박*늘" in page
    assert "박하늘" not in page
    refund_id = owner.execute("SELECT max(id) FROM refunds").fetchone()[0]
    path = f"/console/refunds/{refund_id}/holder"
    assert cs.post(path, {"note": " "}).status_code == 422
    assert cs.post(path, {"note": "배우자 계좌, 통화로 확인"}).status_code == 302
    carry_out(house, owner)
    assert status_of(owner) == "succeeded"


def test_staff_type_in_what_they_were_told_or_send_another_link_or_withdraw(
    house, cs, deposited, owner, texts
):
    ask_for_refund(cs, deposited)
    send_mail(house, owner)
    refund_id = owner.execute("SELECT max(id) FROM refunds").fetchone()[0]
    assert cs.post(f"/console/refunds/{refund_id}/ask-again").status_code == 302
    send_mail(house, owner)
    assert len(set(re.findall(r"/my/refund-account/[\w-]+", "\n".join(texts)))) == 2
    wrong = cs.post(f"/console/refunds/{refund_id}/account", OWN | {"number": "abc"})
    assert wrong.status_code == 422
    assert "숫자 1~20자리" in wrong.text
    assert cs.post(f"/console/refunds/{refund_id}/account", OWN).status_code == 302
    assert status_of(owner) == "requested"
    again = cs.post(f"/console/refunds/{refund_id}/withdraw", {"note": "취소"})
    assert again.status_code == 409


def test_who_typed_an_account_in_does_not_confirm_its_holder(house, cs, as_role, deposited, owner):
    ask_for_refund(cs, deposited)
    refund_id = owner.execute("SELECT max(id) FROM refunds").fetchone()[0]
    path, told = f"/console/refunds/{refund_id}/holder", {"note": "배우자 계좌, 통화로 확인"}
    cs.post(f"/console/refunds/{refund_id}/account", OWN | {"holder": "박하늘"})
    page, button = f"/console/payments/{deposited}", "예금주 확인하고"
    assert button not in cs.get(page).text
    assert "직접 입력하신 계좌입니다" in cs.get(page).text
    assert button in as_role("finance").get(page).text
    refused = cs.post(path, told)
    assert refused.status_code == 403
    assert "다른 직원이 확인해야 합니다" in refused.text
    assert status_of(owner) == "awaiting_account"
    assert as_role("finance").post(path, told).status_code == 302
    assert status_of(owner) == "requested"


def test_a_mobile_payment_offers_no_part_and_no_last_month(cs, scene, owner):
    owner.execute("UPDATE payments SET method_kind = 'mobile' WHERE id = %s", [scene.paid])
    owner.execute("UPDATE attempts SET method_kind = 'mobile' WHERE payment_id = %s", [scene.paid])
    page = cs.get(f"/console/payments/{scene.paid}").text
    assert re.search(r'value="partial"[^>]*disabled', page)
    assert "전액 환불만 할 수 있습니다" in page
    answer = ask_for_refund(cs, scene.paid, kind="partial", amount="100")
    assert answer.status_code == 422
    assert "전액 환불만" in answer.text
    owner.execute("UPDATE payments SET paid_at = paid_at - interval '40 days'")
    page = cs.get(f"/console/payments/{scene.paid}").text
    assert "결제한 달에만 취소할 수 있습니다" in page
    assert 'name="seen"' not in page
