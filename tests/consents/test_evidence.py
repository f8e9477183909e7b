"""What a consent proves, and that nobody can make it prove anything else."""

import hashlib
from datetime import date, timedelta

import psycopg
import pytest
from hypothesis import given, strategies as st

from opsapp.consents import agreeing, exporting, publishing, queries, rules, withdrawing
from opsapp.consents.agreeing import NewConsent
from opsapp.consents.errors import (
    ConsentOver,
    MissingVariable,
    TermsWereChanged,
    TextChanged,
    UnknownVariable,
)
from opsapp.consents.models import Terms
from opsapp.consents.rules import KINDS, Wording
from opsapp.kernel import clock, log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.subscriptions import pausing
from tests.factories import subscriptions

BY = Actor("staff", "1")
PRICE = {
    "plan": "기본 요금제",
    "old_minor": 9_900,
    "new_minor": 12_900,
    "currency": "KRW",
    "interval": "month",
    "interval_count": 1,
    "from_on": "2027-01-01",
    "method": "신한 **** 1234",
}


@pytest.fixture
def subscription(app):
    return subscriptions.subscription(subscriptions.make_subscription())


def agree(subscription, **changes):
    wish = {
        "kind": "price_change",
        "customer_id": subscription.customer_id,
        "subscription_id": subscription.id,
        "facts": PRICE,
        "channel": "link",
    }
    with transaction():
        [consent_id] = agreeing.record_consents([NewConsent(**wish | changes)], by=BY)
    return consent_id


def stands(subscription, kind="price_change"):
    with transaction():
        found = queries.list_agreements([subscription.id], [kind])
        return [each.consent_id for each in found.get(subscription.id, [])]


def new_wording(**changes):
    with transaction():
        latest = queries.list_versions("price_change")[0]
        texts = {name: getattr(latest, name) for name in Wording.__slots__}
    return Wording(**texts | {"text_ko": texts["text_ko"] + "\n다시 썼습니다."} | changes)


def publish(wording=None, *, seen=1, days=0, because="법무 검토 반영"):
    wording = wording or new_wording()
    with transaction():
        day = clock.seoul_date(clock.now()) + timedelta(days=days)
        return publishing.publish_terms(
            "price_change",
            wording,
            effective_from=day,
            because=because,
            seen_version=seen,
            by=BY,
        )


def test_the_hash_is_that_of_the_very_words_with_their_facts(subscription):
    token = log.origin.set(log.Origin("203.0.113.77", "request"))
    try:
        consent_id = agree(subscription)
    finally:
        log.origin.reset(token)
    with transaction():
        [(consent, terms, withdrawal)] = [
            row
            for row in queries.list_of_customer(subscription.customer_id)
            if row[0].id == consent_id
        ]
        shown = agreeing.show_again(consent, terms)
    for said in ("9,900원", "12,900원", "2027-01-01", "매월", "신한 **** 1234", "opsapp"):
        assert said in shown.text
    whole = f"{shown.title}\n\n{shown.text}".encode()
    assert consent.text_hash == hashlib.sha256(whole).hexdigest()
    assert (consent.address, withdrawal) == ("203.0.113.0/24", None)


def test_who_agreed_to_an_earlier_version_is_shown_the_earlier_words(subscription):
    consent_id = agree(subscription)
    before = agreeing.offer("price_change", PRICE, locale="ko")
    publish()
    after = agreeing.offer("price_change", PRICE, locale="ko")
    assert after.shown.hash != before.shown.hash
    with transaction():
        consent = queries.get_consent(consent_id)
        shown = agreeing.show_again(consent, queries.get_terms(consent.terms_id))
    assert shown == before.shown


def test_a_version_is_shown_from_its_day_on_and_not_before(subscription):
    publish(days=3)
    assert agreeing.offer("price_change", PRICE, locale="ko").terms.version == 1
    before = clock.now()
    with transaction():
        clock.advance(timedelta(days=3))
    assert agreeing.offer("price_change", PRICE, locale="ko").terms.version == 2
    late = agree(subscription, channel="staff", agreed_at=before)
    with transaction():
        assert queries.get_consent(late).terms_label == "v1", "agreed to before, written down later"


def test_nothing_is_agreed_to_when_other_words_were_on_the_screen(subscription):
    seen = agreeing.offer("price_change", PRICE, locale="ko").shown.hash
    with pytest.raises(TextChanged):
        agree(subscription, facts=PRICE | {"new_minor": 13_900}, seen_hash=seen)
    publish()
    with pytest.raises(TextChanged):
        agree(subscription, seen_hash=seen)
    assert stands(subscription) == []


def test_two_who_publish_at_once_make_one_version(subscription):
    publish()
    with pytest.raises(TermsWereChanged):
        publish(new_wording(title_ko="다른 제목"))
    assert publish(new_wording(title_ko="다른 제목"), seen=2)


def test_a_text_that_hides_what_it_costs_is_not_published(subscription):
    for changes, error, field in (
        ({"text_ko": "{new_amount} {from_on}"}, MissingVariable, "text_ko"),
        ({"text_en": "{old_amount} {new_amount} {from_on} {card}"}, UnknownVariable, "text_en"),
        ({"text_ko": "{old_amount} {new_amount} {from_on} {plan.x}"}, UnknownVariable, "text_ko"),
        ({"title_en": " "}, Invalid, "title_en"),
        ({"text_en": "x" * 8_001}, Invalid, "text_en"),
    ):
        with pytest.raises(error) as refused:
            publish(new_wording(**changes))
        assert refused.value.field == field


def test_an_unchanged_text_a_past_day_or_no_reason_is_no_version(subscription):
    with pytest.raises(Invalid):
        publish(new_wording(text_ko=queries.list_versions("price_change")[0].text_ko))
    with pytest.raises(Invalid):
        publish(days=-1)
    with pytest.raises(Invalid):
        publish(because=" ")


def test_a_consent_is_taken_back_once_and_counts_no_more(subscription):
    first, second = agree(subscription), agree(subscription, channel="staff")
    assert stands(subscription) == [first, second]
    with transaction():
        withdrawing.withdraw(first, because="전화로 요청", channel="staff", by=BY)
    with pytest.raises(ConsentOver), transaction():
        withdrawing.withdraw(first, because="다시 요청", channel="staff", by=BY)
    assert stands(subscription) == [second]


def test_taking_back_the_consent_to_recurring_payment_ends_the_subscription(subscription):
    subscriptions.renew()
    [consent_id] = stands(subscription, "recurring_payment")
    with transaction():
        withdrawing.withdraw(consent_id, because="링크로 요청", channel="link", by=BY)
    assert subscriptions.subscription(subscription.id).status == "cancelling"


def test_what_stands_still_ends_at_once_when_its_consent_is_taken_back(subscription):
    with transaction():
        pausing.pause(subscription.id, by=BY)
    [consent_id] = stands(subscription, "recurring_payment")
    with transaction():
        withdrawing.withdraw(consent_id, because="링크로 요청", channel="link", by=BY)
    assert subscriptions.subscription(subscription.id).status == "cancelled"


def test_every_act_is_in_the_log_and_no_row_is_rewritten(subscription, owner):
    consent_id = agree(subscription)
    with transaction():
        withdrawing.withdraw(consent_id, because="전화로 요청", channel="staff", by=BY)
    publish()
    logged = owner.execute(
        "SELECT action FROM audit_entries WHERE subject_type IN ('consent', 'terms') "
        "AND actor = 'staff:1' ORDER BY id"
    ).fetchall()
    assert [action for (action,) in logged] == [
        "consent.given",
        "consent.withdrawn",
        "terms.published",
    ]
    for change in (
        "UPDATE consents SET text_hash = 'x'",
        "UPDATE terms SET text_ko = 'x'",
        "DELETE FROM consent_withdrawals",
        "TRUNCATE consents CASCADE",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            owner.execute(change)


def test_of_an_imported_consent_only_what_is_known_is_written(subscription):
    at = clock.seoul_midnight(date(2024, 5, 1))
    consent_id = agree(
        subscription, channel="import", terms_label="2024-05", agreed_at=at, facts={}
    )
    with transaction():
        consent = queries.get_consent(consent_id)
        assert (consent.terms_id, consent.text_hash) == (None, "")
        assert (consent.terms_label, consent.agreed_at) == ("2024-05", at)


def test_an_export_holds_every_word_and_no_formula(subscription, owner):
    agree(subscription, facts=PRICE | {"plan": "=1+1"}, channel="staff")
    with transaction():
        rows = exporting.export_consents(subscription.customer_id, because="고객 요청", by=BY)
    [row] = [row for row in rows if row.kind == "price_change"]
    assert row.is_text_proved
    assert "12,900원" in row.text
    sheet = exporting.as_csv(rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in sheet.split(","))
    assert exporting._cell("=1+1") == "'=1+1"
    [(detail,)] = owner.execute(
        "SELECT detail FROM audit_entries WHERE action = 'customer.consents_exported'"
    ).fetchall()
    assert detail == {"count": 2}


FACTS = st.fixed_dictionaries(
    {
        "amount_minor": st.integers(1, 10**9),
        "old_minor": st.integers(1, 10**9),
        "new_minor": st.integers(1, 10**9),
        "currency": st.just("KRW"),
        "interval": st.sampled_from(["day", "week", "month"]),
        "interval_count": st.integers(1, 36),
        "first_on": st.dates().map(str),
        "from_on": st.dates().map(str),
        "plan": st.text(max_size=20),
        "method": st.text(max_size=20),
        "shop": st.text(max_size=20),
    }
)


@given(facts=FACTS, locale=st.sampled_from(["ko", "en"]), kind=st.sampled_from(KINDS))
def test_the_same_facts_give_the_same_words_and_another_amount_gives_others(facts, locale, kind):
    text = " ".join(f"{{{name}}}" for name in sorted(rules.VARIABLES[kind]))
    shown = rules.fill_in("t", text, facts, locale=locale)
    assert shown == rules.fill_in("t", text, dict(facts), locale=locale)
    dearer = {name: facts[name] + 1 for name in ("amount_minor", "old_minor", "new_minor")}
    if kind != "privacy":
        assert rules.fill_in("t", text, facts | dearer, locale=locale).hash != shown.hash


def test_the_program_comes_with_a_text_of_every_kind_that_its_own_rules_allow(app):
    with transaction():
        shown = queries.list_terms_on(KINDS, clock.seoul_date(clock.now()))
        assert set(shown) == set(KINDS)
        for kind, terms in shown.items():
            texts = {name: getattr(terms, name) for name in Wording.__slots__}
            assert rules.check_wording(kind, Wording(**texts)) == Wording(**texts)
            assert terms.hash_ko == rules.hash_of(terms.title_ko, terms.text_ko)
        assert db.session.query(Terms).count() == len(KINDS)
