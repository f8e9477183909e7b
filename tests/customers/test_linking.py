import threading
from datetime import timedelta

import pytest

from opsapp.customers import linking
from opsapp.customers.errors import LinkUnknown, TooManyLinks
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from tests.factories.payments import make_customer
from tests.factories.subscriptions import pass_time
from tests.waiting import join

BY = Actor("staff", "7")
WEEK = timedelta(days=7)


@pytest.fixture
def customer(app):
    return make_customer()


def issue(customer_id, *, purpose="refund_account", subject_id=1):
    with transaction():
        return linking.issue_link(
            customer_id,
            purpose=purpose,
            subject_type="refund",
            subject_id=subject_id,
            life=WEEK,
            by=BY,
        )


def open_(token, *, address="203.0.113.7", purpose="refund_account"):
    return linking.open_link(token, purpose=purpose, address=address)


def use(token):
    with transaction():
        return linking.use_link(token, purpose="refund_account")


def test_a_link_opens_what_it_was_made_for_as_often_as_it_is_looked_at(customer):
    token = issue(customer, subject_id=42)
    assert len(token) >= 43, "32 random bytes"
    for _ in range(3):
        link = open_(token)
        assert (link.customer_id, link.subject_type, link.subject_id) == (customer, "refund", 42)


def test_only_a_hash_of_the_token_is_kept(customer, owner):
    token = issue(customer)
    [row] = owner.execute("SELECT * FROM one_time_links").fetchall()
    assert token not in repr(row)
    assert len(row[1]) == 32


def test_a_used_link_and_its_sisters_are_worth_nothing(customer):
    first, second = issue(customer), issue(customer)
    other = issue(customer, subject_id=2)
    use(second)
    for token in (first, second):
        with pytest.raises(LinkUnknown):
            open_(token)
    assert open_(other)


def test_a_link_ends_after_its_week(customer):
    token = issue(customer)
    pass_time(WEEK - timedelta(minutes=1))
    assert open_(token)
    pass_time(timedelta(minutes=2))
    with pytest.raises(LinkUnknown):
        open_(token)
    with pytest.raises(LinkUnknown):
        use(token)


def test_a_link_for_one_purpose_opens_no_other(customer):
    token = issue(customer, purpose="payment")
    with pytest.raises(LinkUnknown):
        open_(token)


def test_who_guesses_ten_times_is_braked_and_shuts_out_nobody_behind_the_same_address(
    customer, owner
):
    token = issue(customer)
    for n in range(10):
        with pytest.raises(LinkUnknown):
            open_(f"guess-{n}")
    for _ in range(3):
        with pytest.raises(TooManyLinks):
            open_("guess-10")
    assert owner.execute("SELECT count(*) FROM link_tries").fetchone() == (10,)
    assert open_(token)
    with pytest.raises(LinkUnknown):
        open_("guess-10", address="198.51.100.9")
    owner.execute("UPDATE link_tries SET at = at - interval '61 minutes'")
    with pytest.raises(LinkUnknown):
        open_("guess-10")


def test_who_has_a_network_of_addresses_guesses_no_more_often(customer):
    for n in range(10):
        with pytest.raises(LinkUnknown):
            open_("guess", address=f"2001:db8::{n:x}:1")
    with pytest.raises(TooManyLinks):
        open_("guess", address="2001:db8::ffff")
    with pytest.raises(LinkUnknown):
        open_("guess", address="2001:db8:0:1::1")


def test_two_uses_at_once_are_one(app, customer):
    token = issue(customer)
    outcomes = []

    def hand():
        with app.app_context():
            try:
                outcomes.append(use(token).id)
            except LinkUnknown:
                outcomes.append(None)
            db.session.remove()

    hands = [threading.Thread(daemon=True, target=hand) for _ in range(4)]
    for each in hands:
        each.start()
    join(*hands)
    assert sum(outcome is not None for outcome in outcomes) == 1
