"""Into my-page by a link of a message, and out again."""

import re

import pytest
from sqlalchemy import select

from opsapp.channels import registry
from opsapp.customers import signing_in
from opsapp.customers.models import ShopperSession, SignInAsk
from opsapp.customers.rules import ASKS_OF_ADDRESS_MAX, ASKS_OF_SOURCE_MAX
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering
from opsapp.notifications.models import Notice
from tests.factories.guests import HOME, Guest
from tests.factories.members import WORKER, Member
from tests.notifications.conftest import Sent

ASK = "/my/sign-in/"
COOKIE = "opsapp_my"


@pytest.fixture
def member(house, gateway) -> Member:
    return Member(house, is_paid=False)


@pytest.fixture
def mail(house) -> Sent:
    """The only channel of the installation."""
    before, channel = registry.all_channels(), Sent()
    registry.connect([channel])
    yield channel
    registry.connect(before)


def ask(browser, house, address):
    """The form of the first page, and then the worker; how the page answered."""
    page = browser.get(ASK)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
    answer = browser.post(ASK, data={"address": address, "csrf_token": token})
    with house.app_context():
        with transaction():
            signing_in.answer(list(db.session.scalars(select(SignInAsk.id))))
        with transaction():
            waiting = list(db.session.scalars(select(Notice.id).where(Notice.status == "queued")))
        if waiting:
            delivering.send_notices(waiting, by=WORKER)
    return answer


def address_of(member, owner):
    sql = "SELECT email, phone FROM customers WHERE id = %s"
    return owner.execute(sql, [member.customer_id]).fetchone()


def link_in(message) -> str:
    return re.search(r"http\S+(/my/sign-in/\S+)", message.text)[1]


def test_a_link_comes_by_mail_and_its_button_lets_in_once(member, house, mail, owner):
    email, _phone = address_of(member, owner)
    assert ask(member.browser, house, f"  {email.upper()} ").location.endswith("/sent/")
    [message] = mail.messages
    assert "마이페이지 로그인 링크" in message.subject
    link = link_in(message)
    assert member.get(HOME).location.startswith(ASK)
    for _scanner in range(3):
        assert member.get(link).status_code == 200
    assert member.browser.head(link).status_code == 200
    answer = member.send(link)
    assert answer.location == HOME
    cookie = answer.headers["Set-Cookie"]
    for said in (f"{COOKIE}=", "HttpOnly", "SameSite=Lax", "Path=/my", "Max-Age=43200"):
        assert said in cookie
    home = member.get(HOME)
    assert home.status_code == 200
    assert home.headers["Cache-Control"] == "no-store"
    assert "마이페이지" in home.text
    assert member.house.test_client().get(link).status_code == 404, "it was used"


def test_a_telephone_number_is_known_however_it_is_written(member, house, mail, owner):
    _email, phone = address_of(member, owner)
    digits = re.sub(r"\D", "", phone)
    for number in (phone, digits, f"+82 {digits[1:3]}-{digits[3:7]}-{digits[7:]}"):
        ask(house.test_client(), house, number)
    assert len(mail.messages) == 3


def test_nobody_learns_whether_an_address_is_known(member, house, mail, owner):
    email, phone = address_of(member, owner)
    answers = [
        ask(house.test_client(), house, address)
        for address in (email, phone, "nobody@example.com", "010-0000-0000")
    ]
    told = {(a.status_code, a.location, a.text, a.headers.get("Set-Cookie")) for a in answers}
    assert len(told) == 1
    rows = owner.execute("SELECT address_sealed FROM sign_in_asks").fetchall()
    assert rows == [(None,)] * 4, "what was typed is forgotten"
    assert len(mail.messages) == 2
    for wrong in ("", "x", "a@b", "12345", "김"):
        page = house.test_client().get(ASK).text
        assert 'name="address"' in page
        browser = house.test_client()
        token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(ASK).text)[1]
        answer = browser.post(ASK, data={"address": wrong, "csrf_token": token})
        assert answer.status_code == 422, wrong


def test_an_inbox_is_filled_only_so_often_and_a_network_asks_only_so_often(
    member, house, mail, owner
):
    email, _phone = address_of(member, owner)
    browser = house.test_client()
    for _ in range(ASKS_OF_ADDRESS_MAX + 3):
        assert ask(browser, house, email).status_code == 303
    assert len(mail.messages) == ASKS_OF_ADDRESS_MAX
    for number in range(ASKS_OF_SOURCE_MAX - ASKS_OF_ADDRESS_MAX - 3):
        assert ask(browser, house, f"n{number}@example.com").status_code == 303
    assert ask(browser, house, "one-more@example.com").status_code == 429


def test_a_fresh_sign_in_has_a_fresh_token_and_leaving_ends_it(member, house, owner):
    guest = Guest(house, subscription_id=member.subscription_id)
    first = guest.browser.get_cookie(COOKIE, path="/my").value
    guest.sign_in()
    second = guest.browser.get_cookie(COOKIE, path="/my").value
    assert first != second
    assert guest.press("/my/sign-out/", page=HOME).location.startswith(ASK)
    guest.browser.set_cookie(COOKIE, second, path="/my")
    assert guest.get(HOME).status_code == 303, "the token itself is worth nothing any more"
    guest.browser.set_cookie(COOKIE, first, path="/my")
    assert guest.get(HOME).status_code == 200, "another device stays"
    assert guest.press("/my/sign-out/everywhere/", page="/my/data/").status_code == 303
    guest.browser.set_cookie(COOKIE, first, path="/my")
    assert guest.get(HOME).status_code == 303
    tokens = owner.execute("SELECT token_hash::text FROM shopper_sessions").fetchall()
    assert all(first not in row[0] and second not in row[0] for row in tokens)


@pytest.mark.parametrize(
    "change",
    [
        "seen_at = clock_timestamp() - interval '31 minutes'",
        "started_at = started_at - interval '12 h', expires_at = expires_at - interval '12 h'",
    ],
)
def test_a_sign_in_ends_by_idleness_and_by_age(member, house, owner, change):
    guest = Guest(house, subscription_id=member.subscription_id)
    assert guest.get(HOME).status_code == 200
    owner.execute(f"UPDATE shopper_sessions SET {change}")  # noqa: S608
    answer = guest.get(HOME)
    assert answer.status_code == 303
    assert "로그아웃되었습니다" in guest.get(answer.location).text


def test_who_goes_on_using_it_stays_and_the_staffs_cookie_opens_nothing(member, house, owner):
    guest = Guest(house, subscription_id=member.subscription_id)
    owner.execute("UPDATE shopper_sessions SET seen_at = clock_timestamp() - interval '29 minutes'")
    assert guest.get(HOME).status_code == 200
    idle = "SELECT clock_timestamp() - seen_at < interval '1 minute' FROM shopper_sessions"
    assert owner.execute(idle).fetchone() == (True,)
    stranger = house.test_client()
    stranger.set_cookie("opsapp_sign_in", guest.browser.get_cookie(COOKIE, path="/my").value)
    assert stranger.get(HOME).status_code == 303


def test_every_page_is_closed_to_who_is_not_signed_in_and_takes_no_form_without_its_token(house):
    browser, closed = house.test_client(), 0
    for rule in house.url_map.iter_rules():
        view = house.view_functions[rule.endpoint]
        if not rule.endpoint.startswith("portal_my_") or view.permission is None:
            continue
        path = rule.rule.replace("<ref>", "none").replace("<id:order_id>", "1")
        closed += 1
        if "GET" in rule.methods:
            answer = browser.get(path)
            assert (answer.status_code, answer.location) == (303, ASK), path
        else:
            assert browser.post(path).status_code == 400, path
    assert closed >= 30


def test_a_lost_job_is_made_up_for_and_old_asks_are_forgotten(member, house, owner, mail):
    email, _phone = address_of(member, owner)
    with house.app_context():
        with transaction():
            signing_in.ask(email, source="192.0.2.1")
        with transaction():
            signing_in.answer_waiting()
        assert owner.execute("SELECT count(*) FROM notices").fetchone() == (0,), "its job may run"
        owner.execute("UPDATE sign_in_asks SET at = at - interval '1 minute'")
        with transaction():
            signing_in.answer_waiting()
        assert owner.execute("SELECT count(*) FROM notices").fetchone() == (1,)
        owner.execute("UPDATE sign_in_asks SET at = at - interval '2 days'")
        with transaction():
            signing_in.purge()
            assert db.session.scalars(select(SignInAsk.id)).all() == []
            assert db.session.scalars(select(ShopperSession.id)).all() == []
