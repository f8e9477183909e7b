"""One customer's case: what failed, what follows, what staff can do about it, in one place."""

import re

import pytest

from opsapp.kernel.actors import Actor
from opsapp.payments import charging
from tests.factories.payments import attempt_ids
from tests.factories.subscriptions import make_subscription, renew

NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}
WORKER = Actor("worker", "test")
STATEMENTS_MAX = 12


@pytest.fixture
def case(house, gateway, owner):
    """A renewal that lacked money: (customer, recovery, subscription)."""
    with house.app_context():
        make_subscription()
        gateway.faults(**NO_FUNDS)
        renew()
        payments = [row[0] for row in owner.execute("SELECT id FROM payments")]
        charging.execute_attempts(attempt_ids(payments), by=WORKER)
        gateway.clear()
    found = "SELECT customer_id, id, subscription_id FROM recoveries"
    return owner.execute(found).fetchone()


def address(case) -> str:
    return f"/console/customers/{case[0]}"


def test_a_failed_renewal_is_collected_with_three_clicks_from_the_search(
    house, cs, case, owner, gateway
):
    page = cs.get(address(case)).text
    for told in ("한도", "고객 쪽 문제", "상담 안내", "김*원", "다음 자동 처리"):
        assert told in page, told
    [review] = set(re.findall(rf'hx-get="(/console/recovery/{case[1]}/retry[^"]*)"', page))
    panel = cs.get(review.replace("&amp;", "&"), headers={"HX-Request": "true"}).text
    assert "9,900원 지금 결제" in panel
    assert f'name="back" value="{address(case)}"' in panel
    done = cs.post(f"/console/recovery/{case[1]}/retry", {"back": address(case)})
    assert done.location == address(case)
    with house.app_context():
        payments = [row[0] for row in owner.execute("SELECT payment_id FROM recoveries")]
        charging.execute_attempts(attempt_ids(payments), by=WORKER)
    after = cs.get(f"{address(case)}/cases").text
    assert "받았습니다" in after
    assert "지금 다시 결제" not in after
    assert owner.execute("SELECT status FROM recoveries").fetchone() == ("recovered",)


def test_the_whole_page_takes_few_statements_and_its_line_one(cs, case, statements):
    cs.get(address(case))
    cs.post(f"/console/notes/customer/{case[0]}", {"request_id": "note_abcdefgh", "text": "통화함"})
    statements.clear()
    page = cs.get(address(case))
    assert page.status_code == 200
    assert len(statements) <= STATEMENTS_MAX, "\n".join(statements)
    assert len([sql for sql in statements if "staff_notes" in sql and "audit_entries" in sql]) == 1


def test_a_button_that_cannot_work_is_off_and_says_why(cs, case, owner):
    owner.execute("UPDATE payment_methods SET status = 'expired'")
    page = cs.get(address(case)).text
    assert "카드가 만료되었거나 정지되었습니다" in page
    assert f"/console/recovery/{case[1]}/retry" not in page
    refused = cs.post(f"/console/recovery/{case[1]}/retry", headers={"HX-Request": "true"})
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text


def test_pausing_from_the_case_asks_about_open_retries_and_comes_back(cs, case, owner):
    path = f"/console/subscriptions/{case[2]}/pause"
    panel = cs.get(f"{path}?back={address(case)}", headers={"HX-Request": "true"}).text
    assert 'name="open_retries"' in panel
    done = cs.post(path, {"back": address(case), "open_retries": "withdraw"})
    assert done.location == address(case)
    assert owner.execute("SELECT status FROM subscriptions").fetchone() == ("paused",)
    away = cs.post(f"/console/subscriptions/{case[2]}/resume", {"back": "https://evil.example/"})
    assert away.location.startswith("/console/subscriptions/")


def test_personal_data_is_shown_once_with_a_reason_that_the_log_keeps(as_role, case, owner):
    cs, auditor = as_role("cs"), as_role("auditor")
    path = f"{address(case)}/reveal"
    assert auditor.post(path, {"because": "고객 확인 전화"}).status_code == 403
    short = cs.post(path, {"because": "음"})
    assert short.status_code == 422
    assert "김래원" not in short.text
    shown = cs.post(path, {"because": "고객 확인 전화"})
    assert "김래원" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert cs.get(path).status_code == 405, "no address leads to it"
    assert "김래원" not in cs.get(address(case)).text
    logged = owner.execute(
        "SELECT because, detail::text FROM audit_entries WHERE action = 'customer.revealed'"
    ).fetchall()
    assert logged == [("고객 확인 전화", "{}")]


def test_a_note_is_kept_sealed_once_and_shown_where_it_belongs(cs, case, owner, as_role):
    [(payment_id,)] = owner.execute("SELECT id FROM payments").fetchall()
    text = "<script>x</script> 010-9999-8888로 전화 요청"
    form = {"request_id": "note_abcdefgh", "text": text}
    for _twice in range(2):
        assert cs.post(f"/console/notes/payment/{payment_id}", form).status_code == 302
    [(sealed,)] = owner.execute("SELECT text_sealed FROM staff_notes").fetchall()
    assert b"010-9999" not in bytes(sealed)
    for path in (address(case), f"{address(case)}?kind=notes", f"/console/payments/{payment_id}"):
        page = cs.get(path).text
        assert "010-9999-8888로 전화 요청" in page, path
        assert "<script>x" not in page
    assert "010-9999-8888" not in cs.get(f"{address(case)}?kind=tickets").text
    assert cs.post("/console/notes/payment/999999", form).status_code == 404
    assert cs.post(f"/console/notes/payment/{payment_id}", form | {"text": " "}).status_code == 422
    assert as_role("auditor").post(f"/console/notes/payment/{payment_id}", form).status_code == 403
    sub = cs.post(
        f"/console/notes/subscription/{case[2]}", {"request_id": "note_ijklmnop", "text": "확인"}
    )
    assert "확인" in cs.get(sub.location.partition("#")[0]).text


def test_the_line_is_paged_without_a_gap_and_filtered_by_kind(house, cs, case, owner):
    for number in range(35):
        cs.post(
            f"/console/notes/customer/{case[0]}",
            {"request_id": f"note_number{number:02}", "text": f"메모 {number:02}"},
        )
    seen, path = [], f"{address(case)}?kind=notes"
    while path:
        page = cs.get(path).text
        seen += re.findall(r'<p class="said">메모 (\d\d)</p>', page)
        onward = re.search(r'rel="next" href="([^"#]+)', page)
        path = onward[1].replace("&amp;", "&") if onward else None
    assert seen == [f"{number:02}" for number in reversed(range(35))]
    assert cs.get(f"{address(case)}?kind=nonsense").status_code == 422
    for kind, word in (("payments", "실패"), ("subscriptions", "연체"), ("notices", "알림")):
        assert word in cs.get(f"{address(case)}?kind={kind}").text


def test_the_subscription_tells_its_next_three_charges_its_tries_and_how_to_lift_a_block(
    cs, case, owner
):
    path = f"/console/subscriptions/{case[2]}"
    page = cs.get(path).text
    coming = page[page.index('id="coming"') :].partition("</section>")[0]
    assert len(re.findall(r"<tr><th scope=\"row\">", coming)) == 3
    assert coming.count("9,900원") == 3
    cs.post(f"{path}/hold", {"because": "사기 의심"})
    held = cs.get(path).text
    assert "지금 상태로는 청구되는 금액이 없습니다" in held
    assert f'hx-get="{path}/release"' in held[held.index('id="blocks"') :]
