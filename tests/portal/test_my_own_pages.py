"""What a customer does who is signed in: everything of their own, nothing of anybody else's."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from opsapp.kernel.db import db, transaction
from opsapp.subscriptions.collecting import TRIES_MAX
from tests.factories.carts import goods
from tests.factories.guests import HOME, Guest, buy
from tests.factories.members import CSRF

STATEMENTS_MAX = 8
REFUSED = {"REJECT_CARD_PAYMENT": 1.0}
MONTH = timedelta(days=31)


@pytest.fixture
def shopper(house, gateway) -> Guest:
    """Signed in, with one subscription whose first period is paid."""
    return Guest(house)


@pytest.fixture
def another(house, gateway) -> Callable[[], Guest]:
    return lambda: Guest(house, is_paid=False)


@pytest.fixture
def behind(shopper, gateway) -> Guest:
    """Whose second period was declined."""
    shopper.pass_time(MONTH)
    gateway.faults(declines=REFUSED)
    shopper.renew()
    gateway.clear()
    shopper.sign_in()
    return shopper


def own_paths(guest, order_id):
    """Every page there is, as its owner would open it."""
    [payment] = payments_of(guest, order_id)
    refs = {
        "portal_my_subscriptions": guest.subscription.ref,
        "portal_my_methods": guest.methods[0].ref,
        "portal_my_payments": payment,
    }
    for rule in guest.house.url_map.iter_rules():
        blueprint, _, _view = rule.endpoint.partition(".")
        if blueprint.startswith("portal_my_") and "token" not in rule.arguments:
            path = rule.rule.replace("<ref>", refs.get(blueprint, ""))
            yield rule, path.replace("<id:order_id>", str(order_id))


def payments_of(guest, order_id):
    with guest.house.app_context(), transaction():
        sql = db.text(
            "SELECT p.ref FROM payments p JOIN order_legs l ON l.payment_id = p.id "
            "WHERE l.order_id = :id"
        )
        return list(db.session.scalars(sql, {"id": order_id}))


def count_payments(owner, status="paid"):
    sql = "SELECT count(*) FROM payments WHERE status = %s"
    return owner.execute(sql, [status]).fetchone()[0]


def test_every_page_shows_what_is_ones_own_in_few_statements(shopper, house, owner):
    order_id = buy(shopper, goods("사과", 20_000), points=3_000)
    buy(shopper, goods("배", 9_000), method_kind="virtual_account", bank="04")
    owner.execute("UPDATE shopper_sessions SET seen_at = seen_at - interval '1 minute'")
    told, slow = {}, {}
    with house.app_context():
        engine = db.engine
    for rule, path in own_paths(shopper, order_id):
        if "GET" not in rule.methods or rule.endpoint.startswith("portal_my_signing_in"):
            continue
        owner.execute("UPDATE shopper_sessions SET seen_at = seen_at - interval '1 minute'")
        made = []
        note = lambda *args, made=made: made.append(args[2])  # noqa: E731
        event.listen(engine, "before_cursor_execute", note)
        answer = shopper.get(path)
        event.remove(engine, "before_cursor_execute", note)
        assert answer.status_code == 200, (path, answer.text)
        told[path] = answer.text
        if len(made) > STATEMENTS_MAX:
            slow[path] = made
    assert {path: len(made) for path, made in slow.items()} == {}
    assert "기본 요금제" in told[HOME]
    assert "9,900원" in told["/my/subscriptions/"]
    assert "장바구니" in told["/my/orders/"]
    assert "3,000포인트" in told[f"/my/orders/{order_id}/"]
    assert "−" not in told["/my/points/"]
    assert "-3,000" in told["/my/points/"]
    assert "9,000원" in told["/my/deposits/"]
    assert "국민은행" in told["/my/deposits/"]
    assert "****" in told["/my/methods/"]
    [payment] = payments_of(shopper, order_id)
    assert "매출전표" in told[f"/my/payments/{payment}/"]
    assert not [path for path, text in told.items() if shopper.customer.email in text]


def test_a_companys_address_that_is_no_page_is_no_link(shopper, owner):
    order_id = buy(shopper, goods("사과", 20_000))
    [payment] = payments_of(shopper, order_id)
    owner.execute("UPDATE attempts SET receipt_url = 'javascript:alert(1)'")
    shown = shopper.get(f"/my/payments/{payment}/").text
    assert "javascript:" not in shown
    assert "매출전표" not in shown


def test_what_belongs_to_another_is_not_there_on_any_address(shopper, another, owner):
    stranger = another()
    order_id = buy(shopper, goods("사과", 20_000))
    before = shopper.subscription.status, [m.status for m in shopper.methods]
    token = CSRF.search(stranger.get(HOME).text)[1]
    tried = 0
    for rule, path in own_paths(shopper, order_id):
        if not rule.arguments:
            continue
        tried += 1
        if "GET" in rule.methods:
            answer = stranger.get(path)
        else:
            form = {"csrf_token": token, "when": "now", "method": shopper.methods[0].ref}
            answer = stranger.browser.post(path, data=form)
        assert answer.status_code == 404, path
        assert "기본 요금제" not in answer.text
    assert tried >= 18
    [consent] = owner.execute(
        "SELECT id FROM consents WHERE customer_id = %s", [shopper.customer_id]
    ).fetchone()
    form = {"csrf_token": token, "consent_id": str(consent)}
    assert stranger.browser.post("/my/consents/", data=form).status_code == 404
    # Another's method for one's own subscription.
    path = f"{stranger.subscription_page}method/"
    form = {"csrf_token": token, "method": shopper.methods[0].ref}
    assert stranger.browser.post(path, data=form).status_code == 404
    assert (shopper.subscription.status, [m.status for m in shopper.methods]) == before
    assert "사과" not in stranger.get("/my/orders/").text
    assert "기본 요금제" in shopper.get("/my/consents/").text


def test_a_pause_a_return_a_cancellation_and_its_end_take_two_steps_each(shopper):
    page = shopper.subscription_page
    until = (shopper.subscription.created_at + timedelta(days=30)).date().isoformat()
    assert shopper.press(f"{page}pause/", page=f"{page}pause/", until="soon").status_code == 422
    done = shopper.press(f"{page}pause/", page=f"{page}pause/", until=until)
    assert "일시정지" in shopper.get(done.location).text
    assert shopper.subscription.status == "paused"
    shopper.press(f"{page}resume/", page=page)
    assert shopper.subscription.status == "active"
    told = shopper.get(f"{page}cancel/").text
    assert "이용 기간이 끝날 때" in told
    shopper.press(f"{page}cancel/", page=f"{page}cancel/", when="period_end")
    assert shopper.subscription.status == "cancelling"
    shopper.press(f"{page}keep/", page=page)
    assert shopper.subscription.status == "active"
    shopper.press(f"{page}cancel/", page=f"{page}cancel/", when="now")
    assert shopper.subscription.status == "cancelled"
    again = shopper.browser.post(
        f"{page}pause/", data={"csrf_token": CSRF.search(shopper.get(HOME).text)[1]}
    )
    assert again.status_code == 409


def test_a_failed_charge_is_told_popped_up_once_and_paid_at_once(behind, owner):
    page = behind.subscription_page
    home = behind.get(HOME).text
    assert "9,900원이 결제되지 않았습니다" in home
    assert '<dialog id="popup"' in home
    what = home.split('name="what" value="')[1].split('"')[0]
    behind.press("/my/dismiss/", page=HOME, what=what)
    home = behind.get(HOME).text
    assert "<dialog" not in home
    assert "9,900원이 결제되지 않았습니다" in home, "the banner stays until it is paid"
    behind.sign_in()
    assert "<dialog" in behind.get(HOME).text, "another sign-in is told again"
    token = CSRF.search(behind.get(page).text)[1]
    for _click in range(3):
        answer = behind.browser.post(f"{page}pay/", data={"csrf_token": token})
        assert answer.status_code == 303
    assert "지금 결제하고 있습니다" in behind.get(page).text
    behind.work()
    assert count_payments(owner) == 2
    assert "결제되지 않았습니다" not in behind.get(HOME).text
    assert behind.browser.post(f"{page}pay/", data={"csrf_token": token}).status_code == 409
    behind.work()
    assert owner.execute("SELECT count(*) FROM payments").fetchone() == (2,), "nothing in advance"


def test_a_card_is_not_asked_for_ever_and_the_plan_of_retries_stays(behind, gateway, owner):
    page = behind.subscription_page
    step = "SELECT next_step, next_at, failures FROM recoveries"
    before = owner.execute(step).fetchone()
    gateway.faults(declines=REFUSED)
    for _ in range(TRIES_MAX):
        assert behind.press(f"{page}pay/", page=page).status_code == 303
        behind.work()
    token = CSRF.search(behind.get(page).text)[1]
    assert behind.browser.post(f"{page}pay/", data={"csrf_token": token}).status_code == 429
    assert owner.execute(step).fetchone() == before
    gateway.clear()
    assert behind.subscription.status == "past_due"


def test_another_card_pays_what_is_missing(behind, house, owner):
    add = behind.press("/my/methods/add/", page="/my/methods/")
    behind.register(add.location)
    behind.work()
    old, new = behind.methods
    assert (new.status, new.replaces_id, new.is_default) == ("active", None, True)
    page = behind.subscription_page
    done = behind.press(f"{page}method/", page=f"{page}method/", method=new.ref)
    assert "결제수단을 변경했습니다" in behind.get(done.location).text
    assert behind.subscription.payment_method_id == new.id
    behind.work()
    assert count_payments(owner) == 2
    assert behind.subscription.status == "active"
    # Nothing is charged to the old one any more: it may go.
    path = f"/my/methods/{old.ref}/delete/"
    assert "이 결제수단을 삭제할까요" in behind.get(path).text
    behind.press(path, page=path)
    assert behind.methods[0].status == "deleting"
    in_use = behind.get(f"/my/methods/{new.ref}/delete/").text
    assert "아직 삭제할 수 없습니다" in in_use
    assert "기본 요금제" in in_use
    token = CSRF.search(in_use)[1]
    path = f"/my/methods/{new.ref}/delete/"
    assert behind.browser.post(path, data={"csrf_token": token}).status_code == 409
    assert behind.methods[1].status == "active"


def test_a_card_that_expires_soon_wears_a_badge_and_is_replaced_where_it_is_used(shopper, owner):
    owner.execute("UPDATE payment_methods SET expires_on = current_date + 20")
    home = shopper.get(HOME).text
    assert "<dialog" in home
    assert "결제수단의 유효기간이 곧 끝납니다" in home
    assert "곧 만료" in shopper.get("/my/methods/").text
    path = f"{shopper.method_page}replace/"
    onward = shopper.press(path, page="/my/methods/")
    shopper.register(onward.location)
    shopper.work()
    assert shopper.subscription.payment_method_id == shopper.methods[-1].id
    assert "<dialog" not in shopper.get(HOME).text


def test_all_data_about_oneself_is_handed_over_after_a_fresh_sign_in_and_it_is_noted(
    shopper, owner, another
):
    stranger = another()
    buy(shopper, goods("사과", 20_000), points=500)
    answer = shopper.press("/my/data/", page="/my/data/")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    told = json.loads(answer.text)
    assert told["customer"]["email"] == shopper.customer.email
    assert {row["title"] for row in told["payments"]} >= {"장바구니"}
    assert [line["title"] for line in told["order_lines"]] == ["사과"]
    assert [entry["kind"] for entry in told["points"]] == ["posted", "reserved", "earned"]
    assert stranger.customer.email not in answer.text
    for secret in ("sealed", "token", "hash", "billing_key", "customer_key"):
        assert secret not in answer.text
    noted = "SELECT actor FROM audit_entries WHERE action = 'customer.data_exported'"
    assert owner.execute(noted).fetchall() == [(f"customer:{shopper.customer_id}",)]
    owner.execute("UPDATE shopper_sessions SET started_at = started_at - interval '16 minutes'")
    page = shopper.get("/my/data/").text
    assert "최근 15분" in page
    token = CSRF.search(page)[1]
    assert shopper.browser.post("/my/data/", data={"csrf_token": token}).status_code == 403
    done = shopper.press("/my/data/link/", page="/my/data/")
    assert "로그인 링크를 보내 드렸습니다" in shopper.get(done.location).text
    kinds = owner.execute("SELECT kind, place FROM notices WHERE kind = 'my_page_link'").fetchall()
    assert kinds == [("my_page_link", 1)]


def test_an_agreement_is_taken_back_once(shopper, owner):
    [consent] = owner.execute("SELECT id FROM consents").fetchone()
    form = {"consent_id": str(consent)}
    assert shopper.press("/my/consents/", page="/my/consents/", **form).status_code == 303
    assert shopper.subscription.status == "cancelling"
    token = CSRF.search(shopper.get(HOME).text)[1]
    again = shopper.browser.post("/my/consents/", data=form | {"csrf_token": token})
    assert again.status_code == 409


def test_lists_go_on_page_by_page_and_in_english(shopper, owner, house):
    owner.execute(
        "INSERT INTO notices (ref, kind, subject_type, subject_id, customer_id, values, status, "
        "sent_at, channel) SELECT 'n' || i, 'refund_made', 'refund', i, %s, '{}', 'sent', now(), "
        "'email' FROM generate_series(1, 45) i",
        [shopper.customer_id],
    )
    owner.execute("UPDATE customers SET locale = 'en'")
    path, seen = "/my/notices/", 0
    for _page in range(3):
        text = shopper.get(path).text
        seen += text.count("Refund made")
        following = text.partition('rel="next" href="')[2].partition('"')[0]
        path = f"/my/notices/{following}"
    assert seen == 45
    assert following == ""
    assert shopper.get("/my/notices/?cursor=zzz").status_code == 400
    assert "Payments and receipts" in shopper.get(HOME).text


def test_a_suspension_comes_back_when_the_card_that_lifted_it_is_declined(behind, gateway):
    gateway.faults(declines=REFUSED)
    for _ in range(4):
        behind.pass_time(timedelta(days=4))
        behind.work()
    behind.sign_in()
    assert behind.subscription.status == "suspended"
    page = behind.subscription_page
    assert behind.press(f"{page}pay/", page=page).status_code == 303
    behind.work()
    assert behind.subscription.status == "suspended"
    gateway.clear()
    assert behind.press(f"{page}pay/", page=page).status_code == 303
    behind.work()
    assert behind.subscription.status == "active"
