import dataclasses
from datetime import timedelta

import pytest

from opsapp import settings as all_settings
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.programs import issuing, queries, rules
from opsapp.programs.errors import KeyEnded
from opsapp.programs.issuing import OnlyForDemonstration
from opsapp.programs.rules import Scope

BY = Actor("staff", "1")


def test_a_secret_is_told_once_and_found_again_by_its_hash_alone(app):
    with transaction():
        made = issuing.make("상점", [Scope.ORDERS_READ.value], by=BY)
    assert made.secret not in repr(made)
    assert len(made.secret) > 40
    known = queries.find_key(rules.prefix_of(made.secret))
    assert rules.fits(made.secret, known.secret_hash)
    assert not rules.fits(made.secret + "x", known.secret_hash)
    assert known.scopes == {"orders:read"}
    assert made.secret not in str(dataclasses.asdict(known))


def test_a_rotated_key_has_the_same_scopes_and_the_old_one_ends(app):
    with transaction():
        old = issuing.make("상점", ["orders:read", "orders:write"], by=BY)
        new = issuing.rotate(old.id, overlap=timedelta(0), by=BY)
    assert not queries.is_alive(old.id)
    found = queries.find_key(rules.prefix_of(new.secret))
    assert found.scopes == {"orders:read", "orders:write"}
    with pytest.raises(KeyEnded), transaction():
        issuing.rotate(old.id, overlap=timedelta(0), by=BY)
    with pytest.raises(KeyEnded), transaction():
        issuing.revoke(old.id, because="", by=BY)
    with pytest.raises(NotFound), transaction():
        issuing.revoke(99, because="", by=BY)


def test_a_key_that_was_to_end_ends_after_as_long_again_when_it_is_rotated(app):
    month = timedelta(days=30)
    with transaction():
        old = issuing.make("상점", ["orders:read"], by=BY, expires_in=month)
        new = issuing.rotate(old.id, overlap=timedelta(hours=1), by=BY)
        endless = issuing.make("창고", ["orders:read"], by=BY)
        successor = issuing.rotate(endless.id, overlap=timedelta(hours=1), by=BY)
    lives = {
        row.ApiKey.id: row.ApiKey.expires_at and row.ApiKey.expires_at - row.ApiKey.created_at
        for row in queries.list_keys()
    }
    assert abs(lives[new.id] - month) < timedelta(minutes=1)
    assert lives[successor.id] is None


def test_a_key_without_a_name_or_with_unknown_scopes_is_not_made(app):
    for name, scopes, field in (
        ("", ["orders:read"], "name"),
        ("a\x00b", ["orders:read"], "name"),
        ("x" * 61, ["orders:read"], "name"),
        ("shop", [], "scopes"),
        ("shop", ["orders:read", "everything"], "scopes"),
    ):
        with pytest.raises(Invalid) as refusal, transaction():
            issuing.make(name, scopes, by=BY)
        assert refusal.value.field == field


def test_the_known_key_of_a_demonstration_is_seeded_once_and_never_in_production(app, settings):
    secret = "ops_" + "known" * 9
    for _ in range(2):
        with transaction():
            issuing.seed(secret, by=BY)
    assert len(queries.list_keys()) == 1
    assert queries.find_key(rules.prefix_of(secret)).scopes == set(Scope)
    all_settings.use(settings.model_copy(update={"mode": "production"}))
    with pytest.raises(OnlyForDemonstration), transaction():
        issuing.seed("ops_" + "other" * 9, by=BY)
