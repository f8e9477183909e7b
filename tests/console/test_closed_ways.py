"""Ways that an attacker with a sign-in tried and that must stay closed."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from opsapp.console import access
from tests.console.conftest import TOKEN
from tests.console.test_refunds import refunds, wish
from tests.factories.checkouts import Shopper
from tests.factories.staff import PASSWORD

HREF = re.compile(r'href="([^"]*)"')
LISTS = ("payments", "subscriptions", "customers", "tickets", "refunds", "notifications")


@pytest.mark.parametrize(
    "query", ["endpoint=x", "_method=DELETE", "_external=1", "_scheme=javascript", "_anchor=x"]
)
def test_no_name_in_an_address_becomes_an_option_of_the_links(cs, scene, query):
    for noun in LISTS:
        page = cs.get(f"/console/{noun}/?{query}")
        assert page.status_code == 200, noun
        links = HREF.findall(page.text)
        assert [link for link in links if not link.startswith(("/", "#", "?"))] == []


def test_a_link_keeps_the_filters_of_its_list(cs, scene):
    page = cs.get("/console/payments/?q=a%26b&tab=failed").text
    assert 'href="?q=a%26b&amp;tab=approved"' in page


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1899-12-31"])
def test_a_day_at_the_end_of_the_calendar_is_named_as_unreadable(as_role, day):
    auditor = as_role("auditor")
    for noun in ("payments", "audit"):
        for name in ("since", "until"):
            answer = auditor.get(f"/console/{noun}/?{name}={day}")
            assert (answer.status_code, day in answer.text) == (422, True)


@pytest.mark.parametrize("search", ["²²²²", "①②③④⑤⑥", "٣٤٥٦", "5678²"])
def test_a_search_knows_no_digits_but_ours(cs, scene, search):
    for noun in ("payments", "customers", "subscriptions"):
        assert cs.get(f"/console/{noun}/", query_string={"q": search}).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    ["//[", "http://[", "/console/\rx", "/console/\x00", "javascript:alert(1)", "/console\\@evil"],
)
def test_an_unreadable_way_back_leads_home(anybody, wanted):
    page = anybody.get("/console/sign-in").text
    answer = anybody.client.post(
        "/console/sign-in",
        query_string={"next": wanted},
        data={
            "email": "cs@example.com",
            "password": PASSWORD,
            "csrf_token": TOKEN.search(page)[1],
        },
    )
    assert (answer.status_code, answer.location) == (302, "/console/")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"currency": "USD", "amount": "1"}, 422),
        ({"currency": "XXX", "kind": "full"}, 422),
        ({"currency": "USD", "amount": "1.²"}, 422),
        ({"seen": "1", "amount": "1"}, 409),
        ({"amount": "-1"}, 422),
        ({"amount": "1" * 30}, 422),
        ({"request_id": "a" * 20 + "\n"}, 422),
        ({"reason_text": "a\x00b"}, 400),
    ],
)
def test_a_forged_refund_is_refused_by_the_review_and_by_the_order(
    cs, scene, owner, changes, status
):
    before = refunds(owner)
    for path in ("refunds/review", "refunds"):
        answer = cs.post(f"/console/payments/{scene.paid}/{path}", wish(cs, scene.paid, **changes))
        assert answer.status_code == status, path
    assert refunds(owner) == before


def forms_cookie(visitor):
    return visitor.client.get_cookie("session").value


@pytest.mark.parametrize("whose", ["another person", "an earlier sign-in of the same person"])
def test_a_form_is_worth_nothing_in_another_sign_in(house, as_role, owner, whose):
    other = as_role("finance" if whose == "another person" else "cs")
    token, cookie = other.token(), forms_cookie(other)
    victim = as_role("cs")
    victim.client.set_cookie("session", cookie)
    answer = victim.client.post(
        "/console/preferences/", data={"csrf_token": token, "theme": "dark"}
    )
    assert answer.status_code == 400
    assert owner.execute("SELECT count(*) FROM staff_accounts WHERE theme = 'dark'").fetchone() == (
        0,
    )
    assert victim.post("/console/preferences/", {"theme": "dark"}).status_code == 302


def test_a_new_sign_in_ends_the_one_before_it_in_the_same_browser(house, cs):
    old = cs.client.get_cookie(access.COOKIE, path="/console").value
    answer = cs.client.post(
        "/console/sign-in",
        data={"email": "cs@example.com", "password": PASSWORD, "csrf_token": cs.token()},
    )
    assert answer.status_code == 302
    assert cs.get("/console/").status_code == 200
    thief = house.test_client()
    thief.set_cookie(access.COOKIE, old, path="/console")
    assert thief.get("/console/").status_code == 302


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_stranger_cannot_make_us_read_megabytes(anybody, kind):
    answer = anybody.client.post(
        "/console/sign-in",
        data={"email": "x" * access.REQUEST_BYTES_MAX},
        content_type=kind,
    )
    assert answer.status_code == 413


def test_what_no_column_can_hold_is_refused_in_every_form(as_role, scene):
    admin = as_role("admin")
    for path, name in (
        ("staff/", "email"),
        ("staff/1/disable", "because"),
        (f"tickets/{scene.ticket}/resolve", "note"),
    ):
        assert admin.post(f"/console/{path}", {name: "a\x00b"}).status_code == 400, path


def test_ending_the_sign_ins_of_nobody_writes_nothing(as_role, owner):
    assert as_role("admin").post("/console/staff/99999/end_sessions").status_code == 404
    assert owner.execute(
        "SELECT count(*) FROM audit_entries WHERE subject_id = 99999"
    ).fetchone() == (0,)


def test_an_administrator_opens_a_locked_account(as_role, anybody, owner):
    [(account_id,)] = owner.execute(
        "UPDATE staff_accounts SET wrong_tries = 10, locked_until = now() + interval '1 hour' "
        "WHERE role = 'cs' RETURNING id"
    ).fetchall()
    assert anybody.sign_in("cs@example.com").status_code == 401
    admin = as_role("admin")
    assert f"/console/staff/{account_id}/enable" in admin.get("/console/staff/").text
    answer = admin.post(f"/console/staff/{account_id}/enable", {"because": "called back"})
    assert answer.status_code == 302
    assert anybody.sign_in("cs@example.com").status_code == 302
    assert owner.execute(
        "SELECT because FROM audit_entries WHERE action = 'staff_account.unlocked'"
    ).fetchall() == [("called back",)]


def test_a_password_typed_as_the_email_is_kept_nowhere(anybody, owner):
    assert anybody.sign_in("correct-horse-secret").status_code == 401
    assert anybody.sign_in("cs@example.com").status_code == 302
    kept = owner.execute("SELECT email FROM sign_in_tries ORDER BY id").fetchall()
    assert kept == [("*" * 20,), ("cs*@example.com",)]


def test_a_header_gives_nobody_another_address(house, anybody, owner):
    token = TOKEN.search(anybody.get("/console/sign-in").text)[1]
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        anybody.client.post(
            "/console/sign-in",
            data={"email": "cs@example.com", "password": "wrong", "csrf_token": token},
            headers={name: "for=203.0.113.9" if name == "Forwarded" else "203.0.113.9"},
        )
    kept = owner.execute("SELECT DISTINCT address FROM sign_in_tries").fetchall()
    assert kept == [("127.0.0.1",)]


def test_an_address_that_opens_a_customers_page_is_logged_and_none_is_made_for_a_link_that_ended(
    house, cs, as_role, owner
):
    with house.app_context():
        shopper = Shopper(house)
    path = f"/console/orders/links/{shopper.checkout_id}"
    assert as_role("finance").post(f"{path}/address").status_code == 403
    assert "/pay/" in cs.post(f"{path}/address").text
    told = owner.execute("SELECT actor FROM audit_entries WHERE action = 'checkout.address_shown'")
    assert len(told.fetchall()) == 1
    assert "링크 주소를 새로 표시함" in cs.get(path).text
    assert cs.post(f"{path}/cancel").status_code == 302
    refused = cs.post(f"{path}/address")
    assert (refused.status_code, "/pay/" in refused.text) == (410, False)
    assert owner.execute(
        "SELECT count(*) FROM one_time_links WHERE used_at IS NULL"
    ).fetchone() == (0,)


def test_a_text_without_end_is_refused_as_too_involved(as_role):
    admin, path = as_role("admin"), "/console/notifications/templates/payment_failed/email/"
    form = dict.fromkeys(("subject_ko", "text_ko", "subject_en", "text_en"), "결제 실패")
    form |= {"because": "문구를 바꿉니다", "seen_version": "0"}
    for text in (
        "{{ " + "(" * 3_000 + "name" + ")" * 3_000 + " }}",
        "{{ " + "not " * 2_400 + "name }}",
        "{{ name" + " | day" * 1_500 + " }}",
        "{% if name %}" * 110 + "x" + "{% endif %}" * 110,
        "{{ " + "9" * 5_000 + " }}",
    ):
        answer = admin.post(path, form | {"text_en": text})
        assert (answer.status_code, "너무 복잡하여" in answer.text) == (422, True), text[:20]


def test_a_bulk_form_that_no_list_sends_is_taken_for_no_other_one(cs, scene, owner):
    form = {"scope": "all", "tab": "active", "seen_total": "1", "because": "정리"}
    for act, request_id in (("pause", ""), ("cancel", ""), ("pause", "x" * 65), ("pause", "a b")):
        wish = form | {"act": act, "request_id": request_id}
        assert cs.post("/console/jobs/bulk/", wish).status_code == 422
    assert owner.execute("SELECT count(*) FROM bulk_jobs").fetchone() == (0,)
    for number in ("1" * 25, "1" * 5_000, "9" * 19, "0"):
        chosen = {"act": "pause", "id": number}
        assert cs.post("/console/jobs/bulk/review", chosen).status_code == 422


def test_a_price_from_the_ends_of_the_numbers_and_of_the_calendar_is_refused(as_role, scene, owner):
    """A version of the year 9999 would keep out every other one for ever."""
    owner.execute("UPDATE subscriptions SET quantity = 10000")
    admin, path = as_role("admin"), "/console/settings/plans/1/versions"
    form = {
        "amount": "12,000",
        "effective_on": "2026-12-25",
        "trial_days": "0",
        "seen_version": "1",
    }
    for changes, said in (
        ({"amount": "9223372036854775807"}, "청구할 수 있는 금액보다"),
        ({"effective_on": "9999-12-31"}, "이전에 시작해야"),
        ({"trial_days": "999"}, "0에서 366"),
        ({"term_periods": "0"}, "1에서 1,200"),
    ):
        for act in ("review", "add"):
            answer = admin.post(f"{path}/{act}", form | changes)
            assert (answer.status_code, said in answer.text) == (422, True), (act, changes)
    assert owner.execute("SELECT count(*) FROM plan_versions").fetchone() == (0,)


def test_a_double_click_orders_one_bulk_job(as_role, scene, owner):
    form = {"scope": "all", "tab": "active", "seen_total": "1", "act": "pause", "because": "정리"}
    form["request_id"] = "r" * 20
    visitors = [as_role("cs") for _ in range(3)]
    tokens = [visitor.token() for visitor in visitors]

    def click(visitor, token):
        data = form | {"csrf_token": token}
        return visitor.client.post("/console/jobs/bulk/", data=data).location

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(click, visitors, tokens)) == {"/console/jobs/bulk/1"}
    assert owner.execute("SELECT count(*) FROM bulk_rows").fetchone() == (1,)


def test_a_change_is_withdrawn_on_the_page_of_its_own_subscription_only(cs, scene, owner):
    path = f"/console/subscriptions/{scene.subscription}/change"
    wish = {"quantity": "3", "when": "period_end"}
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', cs.get(path, query_string=wish).text)
    long = cs.post(path, wish | {"seen": seen[1], "because": "x" * 201})
    assert (long.status_code, "200자" in long.text) == (422, True)
    assert cs.post(path, wish | {"seen": seen[1], "because": "고객 요청"}).status_code == 302
    [(change_id,)] = owner.execute("SELECT id FROM subscription_changes").fetchall()
    foreign = f"/console/subscriptions/{scene.paused}/changes/{change_id}/withdraw"
    assert cs.post(foreign, {"because": "고객 요청"}).status_code == 404
    assert owner.execute("SELECT status FROM subscription_changes").fetchone() == ("planned",)


def test_what_staff_write_stands_on_the_pages_as_text(as_role, scene, owner):
    """Every free text that the new screens take, with markup and with an expression."""
    admin, evil = as_role("admin"), "<img src=x onerror=alert(1)>{{ 7777*7 }}{0.__class__}"
    number = scene.subscription
    subscription, plan = f"/console/subscriptions/{number}", "/console/settings/terms/privacy/"
    terms = dict.fromkeys(("title_ko", "text_ko", "title_en", "text_en"), evil.replace("{", "("))
    terms |= {"because": evil, "effective_from": "2099-01-01", "seen_version": "1"}
    job = {"request_id": "r" * 20, "scope": "all", "seen_total": "1", "act": "pause"}
    for path, form in (
        (f"{subscription}/hold", {"because": evil}),
        (f"{subscription}/release", {"because": evil}),
        ("/console/jobs/runs/1/pause", {"because": evil}),
        (plan, terms),
        ("/console/jobs/bulk/", job | {"tab": "active", "because": evil}),
    ):
        assert admin.post(path, form).status_code == 302, path
    review = admin.post("/console/jobs/bulk/review", job | {"q": evil, "because": evil}).text
    looked_at = (subscription, "/console/jobs/runs/1", "/console/jobs/bulk/1", plan)
    pages = [review, *(admin.get(path).text for path in (*looked_at, "/console/audit/"))]
    for page in pages:
        assert "&lt;img src=x" in page or "/console/audit/" in page
        assert "<img src=x" not in page
        assert "54439" not in page
