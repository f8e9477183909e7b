"""Which channels an installation has, and what they say of themselves."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from opsapp.channels.base import Channel, RecipientKind
from opsapp.channels.registry import channels_of
from opsapp.settings import Settings
from tests.fakes.push import PushDouble, b64url

NEEDED = {
    "database_url": "postgresql:///x",
    "redis_url": "redis://x",
    "secret_key": "s" * 32,
    "encryption_keys": "k1:x",
    "blind_index_key": "x",
    "seal_key": "x",
}
SOLAPI = {"solapi_api_key": "K", "solapi_api_secret": "secret", "solapi_sender": "0215881234"}
WEBPUSH = {"webpush_private_key": b64url(bytes(range(1, 33)))}
FCM = {"fcm_service_account": PushDouble(url="https://oauth.example").service_account()}


def channels(**chosen: Any) -> dict[str, Channel]:
    return {channel.name: channel for channel in channels_of(Settings(**NEEDED | chosen))}


def test_a_channel_that_the_settings_do_not_name_is_not_there() -> None:
    assert list(channels()) == ["email"]
    assert list(channels(**SOLAPI)) == ["email", "sms"]
    assert list(channels(**WEBPUSH)) == ["email", "webpush"]
    assert list(channels(**FCM)) == ["email", "fcm"]


def test_each_channel_says_whom_it_reaches_and_how_much_it_takes() -> None:
    found = channels(**SOLAPI, **WEBPUSH, **FCM)
    kinds = {name: channel.capabilities.recipient for name, channel in found.items()}
    assert kinds == {
        "email": RecipientKind.EMAIL,
        "sms": RecipientKind.PHONE,
        "webpush": RecipientKind.PUSH,
        "fcm": RecipientKind.PUSH,
    }
    assert found["sms"].capabilities.text_bytes_max == 2000
    assert [name for name, each in found.items() if each.capabilities.uses_templates] == ["sms"]


@pytest.mark.parametrize(
    "chosen",
    [
        {"solapi_api_key": "K"},
        SOLAPI | {"solapi_sender": "02-1588"},
        SOLAPI | {"solapi_api_secret": ""},
        {"webpush_private_key": "dG9vIHNob3J0"},
        {"webpush_private_key": "not base64 !"},
        WEBPUSH | {"webpush_contact": "kim@example.com"},
        WEBPUSH | {"webpush_trusted_origin": "http://127.0.0.1:9"},  # in production
        {"fcm_service_account": "no JSON"},
        {"fcm_service_account": json.dumps({"project_id": "p"})},
    ],
)
def test_a_channel_that_is_named_by_half_is_refused_at_the_start_without_its_secrets(
    chosen: dict[str, str],
) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**NEEDED | chosen)
    assert "secret" not in str(refused.value).replace("solapi_api_secret", "")
