"""Any answer whatever ends in exactly one outcome for each message, and quotes none of them."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from opsapp.channels.base import Channel, Message, Outcome
from opsapp.channels.fcm import FcmChannel
from opsapp.channels.solapi import SolapiChannel
from opsapp.channels.webpush import WebPushChannel
from tests.fakes import push, solapi
from tests.fakes.push import Browser, PushDouble
from tests.fakes.solapi import KEY, SECRET, SENDER, Raw, SolapiDouble

EXAMPLES = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NUMBERS = ("01012345678", "01087654321", "01011112222")
TEXT = "김래원님의 결제 안내"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
refs = st.sampled_from(["note_0", "note_1", "note_2", "note_9", NUMBERS[0], TEXT, None, 7])
codes = st.sampled_from(["2000", "3059", "1062", NUMBERS[0], TEXT, "", None, 2000])
items = st.fixed_dictionaries(
    {},
    optional={
        "customFields": st.fixed_dictionaries({"ref": refs}) | anything,
        "to": st.sampled_from(NUMBERS) | anything,
        "statusCode": codes | anything,
        "messageId": st.sampled_from(["M4V0000001", NUMBERS[0], TEXT]) | anything,
    },
)
counts = st.fixed_dictionaries(
    {},
    optional={
        "registeredSuccess": st.integers(-1, 4) | anything,
        "registeredFailed": st.integers(-1, 4) | anything,
    },
)
batches = st.fixed_dictionaries(
    {},
    optional={
        "failedMessageList": st.lists(items, max_size=4) | anything,
        "messageList": st.lists(items, max_size=4) | anything,
        "groupInfo": st.fixed_dictionaries({"count": counts | anything}) | anything,
        "errorCode": st.sampled_from(["ValidationError", NUMBERS[0], TEXT]) | anything,
    },
)
statuses = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 410, 413, 429, 500, 503, 599])
solapi_bodies = (batches | anything).map(lambda read: json.dumps(read).encode())
fcm_bodies = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["projects/p/messages/1", NUMBERS[0]]) | anything,
        "access_token": st.sampled_from(["ya29.x", "a\r\nb: c", ""]) | anything,
        "expires_in": st.sampled_from([3600, 0, -1, "3600", 1e400, True]) | anything,
        "error": st.fixed_dictionaries(
            {"details": st.lists(st.fixed_dictionaries({"errorCode": codes | anything}))}
        )
        | anything,
    },
).map(lambda read: json.dumps(read).encode())


@pytest.fixture(scope="module")
def phones() -> Iterator[SolapiDouble]:
    with solapi.running() as double:
        yield double


@pytest.fixture(scope="module")
def services() -> Iterator[PushDouble]:
    with push.running() as double:
        yield double


def check(channel: Channel, *recipients: str) -> None:
    messages = [
        Message(f"note_{place}", "payment_failed", "ko", recipient, "제목", TEXT)
        for place, recipient in enumerate(recipients)
    ]
    receipts = asyncio.run(channel.send_many(messages))
    assert len(receipts) == len(messages)
    for receipt in receipts:
        assert receipt.outcome in Outcome
        assert receipt.outcome is Outcome.ACCEPTED or receipt.because
        shown = f"{receipt.because} {receipt.provider_ref}"
        assert not [said for said in (*recipients, *NUMBERS, TEXT) if said in shown]


@EXAMPLES
@given(statuses, solapi_bodies | st.binary(max_size=20))
def test_whatever_solapi_answers(phones: SolapiDouble, status: int, body: bytes) -> None:
    phones.forget()
    phones.always = Raw(status, body)
    channel = SolapiChannel(url=phones.url, api_key=KEY, api_secret=SECRET, sender=SENDER)
    check(channel, *NUMBERS)


@EXAMPLES
@given(statuses, anything.map(json.dumps).map(str.encode) | st.binary(max_size=20))
def test_whatever_a_push_service_answers(services: PushDouble, status: int, body: bytes) -> None:
    services.forget()
    services.status, services.body = status, body
    channel = WebPushChannel(
        private_key=push.b64url(bytes(range(1, 33))),
        contact="mailto:ops@example.com",
        trusted_origin=services.url,
    )
    check(channel, Browser().subscription(f"{services.url}/push/1"))


@settings(EXAMPLES, max_examples=40)  # each reads an RSA key
@given(statuses, fcm_bodies | st.binary(max_size=20), st.booleans())
def test_whatever_fcm_answers(
    services: PushDouble, status: int, body: bytes, is_about_token: bool
) -> None:
    services.forget()
    answer = (status, body)
    services.token_answer, services.fcm = (answer, None) if is_about_token else (None, answer)
    check(FcmChannel(url=services.url, service_account=services.service_account()), "device-1")
