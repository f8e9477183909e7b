"""PortOne in an installation: when it is in use, and what its settings say of its channels."""

import pytest
from pydantic import ValidationError

from opsapp.gateways.portone_names import BANK_CODES, BANKS, read_channels, source_of
from opsapp.gateways.registry import gateways_of
from opsapp.settings import Settings

NEEDED = {
    "database_url": "postgresql:///x",
    "redis_url": "redis://x",
    "secret_key": "s" * 32,
    "encryption_keys": "k1:x",
    "blind_index_key": "x",
    "seal_key": "x",
}


def names(**chosen):
    return [gateway.name for gateway in gateways_of(Settings(**NEEDED | chosen))]


def test_portone_is_in_use_when_it_has_a_secret():
    assert "portone" not in names()
    assert "portone" in names(portone_secret="s", portone_channels="card=c@KCP_V2")


def test_an_installation_offers_what_it_has_channels_for_and_nothing_else():
    chosen = Settings(**NEEDED, portone_secret="s", portone_channels="card=c,easy_pay=e")
    portone = next(g for g in gateways_of(chosen) if g.name == "portone")
    assert portone.capabilities.window_methods == {"card", "easy_pay"}
    assert portone.capabilities.billing_methods == {"card", "easy_pay"}
    assert portone.capabilities.issues_accounts is False


@pytest.mark.parametrize("text", ["card", "card=", "=c", "card=c,", "card=c@kcp", "card=a b", ","])
def test_channels_that_cannot_be_read_are_refused_at_the_start(text):
    with pytest.raises(ValidationError):
        Settings(**NEEDED, portone_channels=text)


def test_channels_name_their_key_and_the_gateway_behind():
    channels = read_channels("card=channel-1@KCP_V2,mobile=channel-2")
    assert (channels["card"].key, channels["card"].provider) == ("channel-1", "KCP_V2")
    assert (channels["mobile"].key, channels["mobile"].provider) == ("channel-2", "")


@pytest.mark.parametrize(
    ("provider", "source"),
    [
        ("KCP_V2", "portone_pg_kcp"),
        ("KCP", "portone_pg_kcp"),
        ("TOSSPAYMENTS", "toss_api"),
        ("TOSSPAY_V2", "portone_pg_tosspay_v2"),
        ("", "portone_pg"),
    ],
)
def test_codes_are_looked_up_at_the_gateway_behind_and_at_no_other(provider, source):
    assert source_of(provider) == source


def test_every_bank_has_one_word_and_one_code():
    assert {BANK_CODES[word]: word for word in BANKS.values()} == BANKS
