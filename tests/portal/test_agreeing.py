"""A higher price, or the end of a free trial: agreed to on a page of its own, or not at all."""

import re
from datetime import timedelta

import pytest

from opsapp.consents import queries
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import db, transaction
from opsapp.subscriptions import asking_consent
from opsapp.subscriptions.models import SubscriptionChange
from tests.factories import subscriptions
from tests.factories.members import CSRF, Member, raise_price

SEEN = re.compile(r'name="seen" value="([0-9a-f]{64})"')


@pytest.fixture
def member(house, gateway) -> Member:
    return Member(house)


@pytest.fixture
def trial(house, gateway) -> Member:
    with house.app_context():
        subscription_id = subscriptions.make_subscription(trial_days=45)
    return Member(house, subscription_id=subscription_id)


def say_yes(member, home, *, page=None, **more):
    page = page or member.get(home).text
    form = {"csrf_token": CSRF.search(page)[1], "seen": SEEN.search(page)[1], "agree": "y"} | more
    return member.browser.post(home, data=form)


def agreements(member, kind="price_change"):
    with member.house.app_context(), transaction():
        return queries.list_agreements([member.subscription_id], [kind]).get(
            member.subscription_id, []
        )


def test_both_prices_and_the_day_are_read_before_anything_is_ticked(member):
    change_id = raise_price(member)
    home = member.link("consent", subject=("subscription_change", change_id))
    member.pass_time(timedelta(days=20))
    page = member.get(home).text
    for said in ("9,900원", "12,900원", "지금 요금", "바뀐 요금", "해지"):
        assert said in page
    assert re.search(r'type="checkbox"[^>]*>', page)
    assert not re.search(r'type="checkbox"[^>]*checked', page)
    assert member.send(home, {"seen": SEEN.search(page)[1]}).status_code == 422
    assert agreements(member) == []
    done = member.get(say_yes(member, home).location)
    assert "동의가 완료되었습니다" in done.text
    [given] = agreements(member)
    assert (given.subject_type, given.subject_id) == ("subscription_change", change_id)


def test_a_second_click_or_another_tab_agrees_to_nothing_twice(member):
    raise_price(member)
    member.pass_time(timedelta(days=20))
    home = member.link("consent")
    page = member.get(home).text
    answers = [say_yes(member, home, page=page).status_code for _ in range(3)]
    assert answers == [303, 303, 303]
    assert len(agreements(member)) == 1


def test_a_price_that_changed_meanwhile_is_shown_anew_and_not_agreed_to(member):
    change_id = raise_price(member)
    member.pass_time(timedelta(days=20))
    home = member.link("consent")
    page = member.get(home).text
    with member.house.app_context(), transaction():
        db.session.get_one(SubscriptionChange, change_id).to_amount_minor = 15_900
    answer = say_yes(member, home, page=page)
    assert answer.status_code == 409
    assert "15,900원" in answer.text
    assert agreements(member) == []
    assert say_yes(member, home).status_code == 303


def test_an_agreement_counts_only_within_thirty_days_and_is_not_taken_earlier(member):
    raise_price(member, in_days=20)
    home = member.link("consent")
    page = member.get(home).text
    assert "30일 안에" in page
    assert 'name="agree"' not in page
    with_token = {"csrf_token": CSRF.search(member.get(f"{home}/decline").text)[1]}
    with member.house.app_context(), transaction():
        question = asking_consent.find_question(member.subscription_id, locale="ko")
    form = with_token | {"agree": "y", "seen": question.offer.shown.hash}
    early = member.browser.post(home, data=form)
    assert early.status_code == 409
    assert agreements(member) == []


def test_who_does_not_agree_leaves_at_the_end_of_the_period(member):
    raise_price(member)
    member.pass_time(timedelta(days=20))
    home = member.link("consent")
    ask = member.get(f"{home}/decline")
    assert member.subscription.status == "active", "looking is not leaving"
    assert str(seoul_date(member.subscription.next_due_at)) in ask.text
    page = member.get(member.send(f"{home}/decline").location)
    assert member.subscription.status == "cancelling"
    assert "더 이상 결제되지 않습니다" in page.text


def test_a_free_trial_asks_on_its_own_page_and_the_subscription_leads_there(trial):
    home = trial.link("subscription")
    assert "무료 체험이 곧 끝납니다" not in trial.get(home).text, "too early to count"
    trial.pass_time(timedelta(days=31))
    home = trial.link("subscription")
    page = trial.get(home)
    assert "무료 체험이 곧 끝납니다" in page.text
    onward = trial.act(home, "agree").location
    assert "9,900원" in trial.get(onward).text
    assert say_yes(trial, onward).status_code == 303
    [given] = agreements(trial, "trial_to_paid")
    assert (given.subject_type, given.subject_id) == ("subscription", trial.subscription_id)
    assert "무료 체험이 곧 끝납니다" not in trial.get(home).text


def test_where_nothing_is_asked_nothing_can_be_agreed_to(member):
    home = member.link("consent")
    assert "동의하실 내용이 없습니다" in member.get(home).text
    token = {"csrf_token": CSRF.search(member.get(f"{home}/decline").text)[1]}
    answer = member.browser.post(home, data=token | {"agree": "y", "seen": "0" * 64})
    assert answer.status_code == 409
    assert agreements(member) == []


def test_what_was_agreed_to_is_listed_and_taken_back_by_the_one_who_agreed(member, house):
    other = Member(house, is_paid=False)
    home = member.link("subscription")
    page = member.get(f"{home}/consents").text
    assert "정기결제 동의" in page
    [own] = agreements(member, "recurring_payment")
    [theirs] = agreements(other, "recurring_payment")
    for wrong in (str(theirs.consent_id), "999999", "x"):
        answer = member.act(home, "consents", consent_id=wrong)
        assert answer.status_code == 404, wrong
    assert member.act(home, "consents", consent_id=str(own.consent_id)).status_code == 303
    assert member.subscription.status == "cancelling"
    again = CSRF.search(member.get(f"{home}/cancel").text)[1]
    form = {"csrf_token": again, "consent_id": str(own.consent_id)}
    assert member.browser.post(f"{home}/consents", data=form).status_code == 409
    assert len(agreements(other, "recurring_payment")) == 1
