import pytest
from hypothesis import HealthCheck, given, settings as how, strategies as st

from opsapp import settings
from opsapp.kernel.crypto import Unreadable, blind_index, seal, unseal
from tests.conftest import KEY

OTHER_KEY = "A" * 42 + "E="


@pytest.fixture
def keys(monkeypatch):
    """Settings with a key ring, without any server."""

    def use(ring):
        chosen = settings.Settings(
            mode="test",
            database_url="postgresql://nowhere/none",
            redis_url="redis://nowhere",
            secret_key="s" * 32,
            encryption_keys=ring,
            blind_index_key=KEY,
            seal_key=KEY,
        )
        monkeypatch.setattr(settings, "_current", [chosen])

    use(f"k1:{KEY}")
    return use


@how(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text(max_size=40))
def test_what_is_sealed_opens_in_its_own_place_and_in_no_other(keys, plain, place):
    token = seal(plain, context=place)
    assert unseal(token, context=place) == plain
    with pytest.raises(Unreadable):
        unseal(token, context=place + "x")


def test_the_same_value_never_looks_the_same_twice(keys):
    assert seal("4111", context="a") != seal("4111", context="a")


def test_a_changed_value_is_not_read(keys):
    token = bytearray(seal("billing key", context="a"))
    token[-1] ^= 1
    with pytest.raises(Unreadable, match="changed"):
        unseal(bytes(token), context="a")


def test_after_a_change_of_keys_the_old_values_are_still_read(keys):
    token = seal("billing key", context="a")
    keys(f"k2:{OTHER_KEY},k1:{KEY}")
    assert unseal(token, context="a") == "billing key"
    assert seal("x", context="a")[1:3] == b"k2"
    keys(f"k2:{OTHER_KEY}")
    with pytest.raises(Unreadable, match="key ring"):
        unseal(token, context="a")


def test_a_blind_index_finds_and_does_not_tell(keys):
    assert blind_index("key") == blind_index("key")
    assert blind_index("key") != blind_index("kez")
    assert b"key" not in blind_index("key")
