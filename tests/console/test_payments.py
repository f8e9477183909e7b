import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin

import pytest
from sqlalchemy import update

from opsapp.insights import adding_up
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import Entry, record
from opsapp.payments import charging
from opsapp.payments.models import Payment
from tests.factories import payments as make

ROW = re.compile(r'<th scope="row"><a class="mono" href="/console/payments/(\d+)"')
NEXT = re.compile(r'rel="next" href="([^"]+)"')
PREVIOUS = re.compile(r'rel="prev" href="([^"]+)"')

# Statements of one page, the sign-in's own included. A page that asks one more must say why.
STATEMENTS = {
    "/console/": 12,
    "/console/payments/": 5,
    "/console/refunds/": 5,
    "/console/subscriptions/": 5,
    "/console/customers/": 5,
    "/console/tickets/": 6,
    "/console/notifications/": 5,
    "/console/webhooks/": 5,
    "/console/jobs/": 16,
    "/console/audit/": 6,
    "/console/audit/?actor=staff:999": 6,
    "/console/recovery/": 5,
    "/console/recovery/?view=list": 5,
    "/console/payments/uncertain/": 6,
}


def ids(page):
    return [int(number) for number in ROW.findall(page.text)]


def found(visitor, query):
    page = visitor.get(f"/console/payments/?{query}")
    assert page.status_code == 200, page.text[-300:]
    return set(ids(page))


def test_the_search_box_finds_a_payment_by_each_of_its_names(cs, scene, owner, nobodys_tail):
    [(ref, approval, order_id, gateway_key, first6, last4)] = owner.execute(
        "SELECT p.ref, p.approval_number, a.gateway_order_id, a.gateway_key, m.first6, m.last4 "
        "FROM payments p JOIN attempts a ON a.payment_id = p.id "
        "JOIN payment_methods m ON m.id = a.payment_method_id WHERE p.id = %s",
        (scene.paid,),
    ).fetchall()
    keys = (
        ref, approval, order_id, gateway_key, first6, last4.replace("*", "7"), "C-1001", "홍길동",
        "길동", "c0@example.com", "C0@EXAMPLE.COM", "5678", "010-1234-5678", "01012345678",
        str(scene.paid), f"  {ref} ",
    )  # fmt: skip
    for key in keys:
        assert scene.paid in found(cs, f"q={key}"), key
    for key in (ref, "홍길동", order_id):
        assert found(cs, f"q={key}") == {scene.paid}, "nothing but what was looked for"
    for key in ("nothing", nobodys_tail, "%", "_", "'", "9" * 30):
        assert found(cs, f"q={key}") == set(), key


def test_each_tab_shows_its_statuses(cs, scene):
    assert found(cs, "tab=failed") == {scene.failed}
    assert found(cs, "tab=uncertain") == {scene.uncertain}
    assert found(cs, "tab=awaiting") == {scene.awaiting}
    assert found(cs, "tab=approved") == {scene.paid, scene.partly_refunded}
    assert found(cs, "tab=refunded") == {scene.partly_refunded}


def test_filters_add_up_and_name_their_basis(cs, scene):
    assert found(cs, "method=virtual_account") == {scene.awaiting}
    assert found(cs, "amount_from=100,000&amount_to=150000") == {scene.paid}
    assert found(cs, "status=paid&gateway=toss") == {scene.paid}
    assert found(cs, "since=2020-01-01&until=2020-12-31") == set()
    assert found(cs, "basis=paid&since=2020-01-01") == {scene.paid, scene.partly_refunded}
    assert "승인 시각" in cs.get("/console/payments/?basis=paid&since=2020-01-01").text


def test_totals_are_of_all_rows_that_fit_or_left_out_when_there_are_too_many(
    cs, scene, owner, monkeypatch
):
    owner.execute("UPDATE payments SET currency = 'USD' WHERE id = %s", (scene.awaiting,))
    today = clock.seoul_date(datetime.now(UTC))
    query = f"since={today - timedelta(days=9)}&until={today}"
    rows = found(cs, query)
    sums = owner.execute(
        "SELECT count(*), sum(captured_minor) FROM payments WHERE currency = 'KRW'"
    )
    [(count, captured)] = sums.fetchall()
    assert count == len(rows) - 1

    def shown(most):
        monkeypatch.setattr(adding_up, "SUMMED_ROWS_MAX", most)
        return re.findall(r"<dd>(.*?)</dd>", cs.get(f"/console/payments/?{query}").text)[:2]

    assert shown(len(rows) - 1) == []
    [told, taken] = shown(len(rows))
    assert (told, f"{captured:,}원" in taken) == (f"{count}", True)


@pytest.mark.parametrize(
    "query",
    [
        "tab=nonsense", "status=x", "since=yesterday", "amount_from=many", "cursor=garbage",
        "cursor=WyI8IiwxXQ", "since=2026-02-02&until=2026-01-01", "cursor=" + "A" * 500,
    ],
)  # fmt: skip
def test_an_unreadable_address_is_named_not_ignored(cs, query):
    page = cs.get(f"/console/payments/?{query}")
    assert page.status_code in (400, 422)
    assert "처리하지 못했습니다" in page.text


def address_of(link):
    return urljoin("/console/payments/", link[1].replace("&amp;", "&"))


def test_pages_follow_each_other_without_a_gap_or_a_repeat(house, cs):
    with house.app_context():
        made = make.make_payments(73)
    seen, path, backwards = [], "/console/payments/?method=card", []
    while path:
        page = cs.get(path)
        seen += ids(page)
        backwards.append(path)
        onward = NEXT.search(page.text)
        path = address_of(onward) if onward else None
    assert sorted(seen) == sorted(made)
    assert seen == sorted(seen, reverse=True)
    assert len(backwards) == 3
    back = address_of(PREVIOUS.search(cs.get(backwards[-1]).text))
    assert ids(cs.get(back)) == seen[30:60], "the page before, and the filter is still there"
    assert "method=card" in back


def test_rows_added_meanwhile_move_nobody_to_another_page(house, cs):
    with house.app_context():
        make.make_payments(40)
    page = cs.get("/console/payments/")
    onward = address_of(NEXT.search(page.text))
    rest = ids(cs.get(onward))
    assert len(rest) == 10
    with house.app_context():
        make.make_payments(5)
    assert ids(cs.get(onward)) == rest


@pytest.mark.parametrize(("path", "most"), STATEMENTS.items())
def test_a_list_asks_the_same_few_questions_however_long_it_is(
    house, as_role, statements, path, most
):
    admin = as_role("admin")
    admin.get(path)
    statements.clear()
    admin.get(path)
    few = list(statements)
    with house.app_context():
        make.make_payments(35)
    statements.clear()
    admin.get(path)
    assert len(statements) == len(few) <= most, statements
    for sql in statements:
        assert not re.search(r"count\(\*\)[^)]*FROM (payments|audit_entries)\s*$", sql)


def test_the_picture_of_a_payment_takes_a_fixed_number_of_statements(cs, scene, statements):
    counts = set()
    for payment_id in (scene.paid, scene.partly_refunded, scene.uncertain):
        statements.clear()
        assert cs.get(f"/console/payments/{payment_id}").status_code == 200
        counts.add(len(statements))
    # Deposits, their cases, receipts and what the refund panel must know: a question each.
    assert max(counts) <= 16, statements


def test_the_timeline_tells_charge_refund_and_notice_in_one_statement(cs, scene, statements):
    statements.clear()
    page = cs.get(f"/console/payments/{scene.partly_refunded}")
    assert len([sql for sql in statements if "UNION ALL" in sql]) == 1
    line = page.text[page.text.index('<ol class="timeline">') :]
    for word in ("전송 시작", "결제사 승인", "고객 변심", "환불 완료", "환불 완료 안내"):
        assert word in line, word
    assert "부분취소" in page.text
    assert "취소 12,000원 / 32,000원" in page.text


def test_an_uncertain_payment_says_so_and_never_that_no_money_moved(cs, scene):
    page = cs.get(f"/console/payments/{scene.uncertain}").text
    assert "다시 결제하지 마세요" in page
    assert "돈이 움직이지 않았습니다" not in page
    assert "확인 필요" in page


def test_personal_data_is_masked_everywhere(as_role, scene):
    admin = as_role("admin")
    for path in (
        "/console/", "/console/payments/", "/console/customers/", "/console/subscriptions/",
        f"/console/customers/{scene.customers[0]}", f"/console/payments/{scene.paid}",
        "/console/notifications/", "/console/tickets/", "/console/audit/",
    ):  # fmt: skip
        page = admin.get(path).text
        for secret in ("홍길동", "010-1234-5678", "c0@example.com", "John Smith"):
            assert secret not in page, (path, secret)


HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "'-alert(1)-'",
    "</title><script>alert(1)</script>", "javascript:alert(1)", "${7*7}", "<svg/onload=alert(1)>",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(house, cs, scene, text):
    with house.app_context(), transaction():
        db.session.execute(update(Payment).values(title=text, failure_code=text))
    for path in (
        "/console/payments/", f"/console/payments/{scene.failed}", f"/console/payments/?q={text}",
    ):  # fmt: skip
        page = cs.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<svg/onload" not in page
        assert ">49<" not in page


def money(text, label):
    """The figure that stands under a label, in won."""
    return re.search(r"(-?[\d,]+)\s*원", re.sub(r"<[^>]+>", "", text.partition(label)[2]))[1]


def test_the_home_page_and_the_list_it_links_to_name_the_same_sum(cs, scene):
    home = cs.get("/console/").text
    [path] = re.findall(r'href="(/console/payments/\?[^"]*basis=paid[^"]*)"', home)[:1]
    listed = cs.get(path.replace("&amp;", "&")).text
    assert money(home, "거래액") == money(listed, "승인 금액") == "161,000"


def test_pages_by_time_of_approval_follow_each_other_too(house, cs):
    with house.app_context():
        payment_ids = make.make_payments(60)
        charging.execute_attempts(make.attempt_ids(payment_ids), by=make.BY)
    first = cs.get("/console/payments/?basis=paid&since=2020-01-01")
    second = cs.get(address_of(NEXT.search(first.text)))
    assert sorted(ids(first) + ids(second)) == sorted(payment_ids)
    assert not set(ids(first)) & set(ids(second))


def test_a_timeline_folds_daily_looks_and_keeps_the_newest(house, cs, scene):
    with house.app_context():
        [attempt_id] = make.attempt_ids([scene.awaiting])
        for because in ["same again"] * 30 + ["the last word"]:
            with transaction():
                look = Entry("attempt.waiting", "attempt", attempt_id, because, to_state="waiting")
                record(look, by=make.BY)
    page = cs.get(f"/console/payments/{scene.awaiting}").text
    assert page.count("same again") == 2, "the first look and the last"
    assert page.index("the last word") < page.index("same again")
