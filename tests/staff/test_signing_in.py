import pytest
from sqlalchemy import select

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import AuditEntry
from opsapp.staff import inviting, passwords, sessions, signing_in
from opsapp.staff.errors import (
    EmailTaken,
    LastAdministrator,
    NotYourself,
    SignInRefused,
    TooManyTries,
)
from opsapp.staff.inviting import NewAccount
from opsapp.staff.rules import Role
from opsapp.staff.signing_in import SignIn
from tests.factories.staff import BY, PASSWORD, make_account


def try_in(email="cs@example.com", password=PASSWORD, address="10.0.0.1"):
    return signing_in.sign_in(SignIn(email, password, address, "test"))


def refused(**how):
    with pytest.raises(SignInRefused):
        try_in(**how)


def find(token):
    with transaction():
        return sessions.find(token)


def entries(action):
    with transaction():
        return list(
            db.session.scalars(
                select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
            )
        )


def test_the_right_password_opens_a_session_that_the_table_knows_only_by_its_hash(app, owner):
    account_id = make_account()
    token = try_in()
    assert find(token).account_id == account_id
    [(stored,)] = owner.execute("SELECT token_hash FROM staff_sessions").fetchall()
    assert token.encode() not in stored
    assert len(entries("staff_account.signed_in")) == 1


def test_each_sign_in_has_an_id_of_its_own(app):
    make_account()
    assert try_in() != try_in()


@pytest.mark.parametrize(
    ("email", "password"), [("cs@example.com", "wrong"), ("nobody@example.com", PASSWORD)]
)
def test_a_wrong_sign_in_says_the_same_and_writes_one_entry(app, email, password):
    make_account()
    refused(email=email, password=password)
    [entry] = entries("staff_account.sign_in_failed")
    assert entry.succeeded is False
    assert email not in str(entry.detail), "the log holds no whole address"


def test_an_unknown_address_costs_as_much_as_a_known_one(app, monkeypatch):
    make_account()
    verified = []
    real = passwords._HASHER.verify
    monkeypatch.setattr(
        passwords,
        "_HASHER",
        type(
            "Spy",
            (),
            {
                "verify": lambda _, *a: verified.append(1) or real(*a),
                "hash": passwords._HASHER.hash,
            },
        )(),
    )
    passwords._nobody.cache_clear()
    refused(email="nobody@example.com")
    refused(password="wrong")
    assert len(verified) == 2


def test_the_tenth_wrong_try_locks_for_thirty_minutes_of_the_database(app, owner):
    make_account()
    for _ in range(9):
        refused(password="wrong")
    assert try_in(), "nine wrong tries leave it open, and the right one clears them"
    for _ in range(10):
        refused(password="wrong")
    refused()
    pass_lock = "UPDATE staff_accounts SET locked_until = locked_until - interval '{}'"
    owner.execute(pass_lock.format("29 minutes 55 seconds"))
    refused()
    owner.execute(pass_lock.format("6 seconds"))
    assert try_in()


def test_after_the_lock_ten_new_tries_are_counted(app, owner):
    make_account()
    for _ in range(10):
        refused(password="wrong")
    owner.execute("UPDATE staff_accounts SET locked_until = now() - interval '1 second'")
    refused(password="wrong")
    assert try_in()


def test_one_address_is_braked_whatever_accounts_it_tries(app, owner):
    make_account()
    owner.execute(
        "INSERT INTO sign_in_tries (address, email, succeeded) "
        "SELECT '10.0.0.9', 'x' || n, false FROM generate_series(1, 60) n"
    )
    with pytest.raises(TooManyTries):
        try_in(address="10.0.0.9")
    assert try_in(address="10.0.0.8")


@pytest.mark.parametrize(
    ("column", "age", "is_alive"),
    [
        ("last_seen_at", "14 minutes 59 seconds", True),
        ("last_seen_at", "15 minutes 1 second", False),
        ("created_at", "7 hours 59 minutes", True),
        ("created_at", "8 hours 1 second", False),
    ],
)
def test_a_session_ends_when_idle_or_old(app, owner, column, age, is_alive):
    make_account()
    token = try_in()
    owner.execute(
        f"UPDATE staff_sessions SET {column} = now() - %s::interval",  # noqa: S608 - a column
        (age,),
    )
    assert (find(token) is not None) is is_alive


def test_disabling_an_account_ends_its_sessions_and_its_sign_in(app):
    account_id = make_account()
    token = try_in()
    with transaction():
        inviting.disable(account_id, because="left", by=BY)
    assert find(token) is None
    refused()
    with transaction():
        inviting.enable(account_id, because="came back", by=BY)
    assert find(token) is None, "an old cookie stays dead"
    assert try_in()


def test_signing_out_ends_one_session_and_an_administrator_ends_all(app):
    account_id = make_account()
    first, second, third = try_in(), try_in(), try_in()
    with transaction():
        sessions.end(sessions.find(first))
    assert [find(t) is None for t in (first, second, third)] == [True, False, False]
    with transaction():
        assert sessions.end_all(account_id, because="lost laptop", by=BY) == 2
    assert find(second) is None
    assert len(entries("staff_account.signed_out")) == 1


def test_nobody_changes_himself_and_the_last_administrator_stays(app):
    admin = make_account(Role.ADMIN)
    with pytest.raises(NotYourself), transaction():
        inviting.disable(admin, because="oops", by=Actor("staff", str(admin)))
    with pytest.raises(LastAdministrator), transaction():
        inviting.disable(admin, because="oops", by=BY)
    make_account(Role.ADMIN, email="second@example.com")
    with transaction():
        inviting.disable(admin, because="left", by=BY)


@pytest.mark.parametrize(
    ("password", "word"),
    [("short", "12"), ("aaaaaaaaaaaaaa", "same"), ("newcomer-1234567", "name"), ("x" * 129, "128")],
)
def test_a_weak_password_is_refused_by_name(app, password, word):
    with pytest.raises(Invalid, match=word), transaction():
        inviting.create_account(
            NewAccount("newcomer@example.com", "새 직원", Role.CS, password), by=BY
        )


def test_an_address_has_one_account(app):
    make_account()
    with pytest.raises(EmailTaken), transaction():
        inviting.create_account(NewAccount("CS@Example.com", "또", Role.CS, PASSWORD), by=BY)
