"""FCM: one token for many messages, and what its answers mean."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from opsapp.channels import fcm
from opsapp.channels.base import Message, Outcome, Receipt
from opsapp.channels.fcm import FcmChannel, read_account
from tests.fakes import push
from tests.fakes.push import PROJECT, PushDouble, fcm_error_body


@pytest.fixture(scope="module")
def server() -> Iterator[PushDouble]:
    with push.running() as double:
        yield double


@pytest.fixture
def double(server: PushDouble) -> PushDouble:
    server.forget()
    return server


@pytest.fixture
def channel(double: PushDouble) -> FcmChannel:
    return FcmChannel(url=double.url, service_account=double.service_account())


def message(recipient: str = "device-1", **more: Any) -> Message:
    return Message("note_1", "payment_failed", "ko", recipient, "결제 안내", "12,000원\n", **more)


def send(channel: FcmChannel, *messages: Message) -> list[Receipt]:
    async def sent() -> list[Receipt]:
        async with channel.connected():
            return await asyncio.gather(*(channel.send(each) for each in messages))

    return asyncio.run(sent())


def test_a_message_arrives_with_its_words_its_link_and_our_reference(
    channel: FcmChannel, double: PushDouble
) -> None:
    [receipt] = send(channel, message(link="https://shop.example/my/1"))
    assert receipt == Receipt(Outcome.ACCEPTED, provider_ref=f"projects/{PROJECT}/messages/0:1")
    [sent] = double.messages
    assert sent["token"] == "device-1"
    assert sent["notification"] == {"title": "결제 안내", "body": "12,000원"}
    assert sent["data"]["link"] == "https://shop.example/my/1"
    assert sent["android"]["collapse_key"] == sent["data"]["ref"] == "note_1"


def test_messages_that_start_together_and_those_that_follow_share_one_token(
    channel: FcmChannel, double: PushDouble
) -> None:
    send(channel, *[message() for _ in range(20)])
    send(channel, message())
    assert len(double.messages) == 21
    assert len(double.tokens) == 1


def test_a_token_near_its_end_is_renewed(
    channel: FcmChannel, double: PushDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(fcm, "monotonic", lambda: now[0])
    send(channel, message())
    now[0] += 3479
    send(channel, message())
    assert len(double.tokens) == 1
    now[0] += 2
    send(channel, message())
    assert len(double.tokens) == 2


def test_a_token_that_no_longer_serves_costs_a_turn_and_no_message(
    channel: FcmChannel, double: PushDouble
) -> None:
    send(channel, message())
    double.tokens = dict.fromkeys(double.tokens, False)
    assert [receipt.outcome for receipt in send(channel, message())] == [Outcome.AWAY]
    assert [receipt.outcome for receipt in send(channel, message())] == [Outcome.ACCEPTED]


def test_a_phone_that_has_left_is_gone(channel: FcmChannel) -> None:
    assert send(channel, message("gone-1")) == [Receipt(Outcome.REFUSED, "gone")]


@pytest.mark.parametrize(
    ("status", "code", "receipt"),
    [
        (400, "INVALID_ARGUMENT", (Outcome.REFUSED, "FCM INVALID_ARGUMENT")),
        (403, "SENDER_ID_MISMATCH", (Outcome.REFUSED, "FCM SENDER_ID_MISMATCH")),
        (404, None, (Outcome.AWAY, "HTTP 404")),  # the project, not the phone
        (401, "THIRD_PARTY_AUTH_ERROR", (Outcome.AWAY, "FCM THIRD_PARTY_AUTH_ERROR")),
        (429, "QUOTA_EXCEEDED", (Outcome.AWAY, "FCM QUOTA_EXCEEDED")),
        (503, "UNAVAILABLE", (Outcome.AWAY, "FCM UNAVAILABLE")),
        (500, "INTERNAL", (Outcome.AWAY, "FCM INTERNAL")),
    ],
)
def test_an_error_is_about_the_phone_or_about_us(
    channel: FcmChannel,
    double: PushDouble,
    status: int,
    code: str | None,
    receipt: tuple[Outcome, str],
) -> None:
    double.fcm = (status, fcm_error_body(status, "STATUS", code))
    assert send(channel, message()) == [Receipt(*receipt)]


def test_without_a_token_nothing_is_sent_and_nothing_is_lost(
    channel: FcmChannel, double: PushDouble
) -> None:
    double.token_answer = (400, b'{"error":"invalid_grant"}')
    assert send(channel, message()) == [Receipt(Outcome.AWAY, "no access token (HTTP 400)")]
    assert double.messages == []


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "a\r\nb: c", "expires_in": 3600},
        {"access_token": "", "expires_in": 3600},
        {"access_token": "a", "expires_in": True},
        {"access_token": "a", "expires_in": 10**12},
        ["a"],
    ],
)
def test_what_is_no_token_is_not_kept(channel: FcmChannel, double: PushDouble, answer: Any) -> None:
    double.token_answer = (200, json.dumps(answer).encode())
    assert send(channel, message()) == [Receipt(Outcome.AWAY, "no access token (HTTP 200)")]
    double.token_answer = None
    assert [receipt.outcome for receipt in send(channel, message())] == [Outcome.ACCEPTED]


def test_a_message_for_nobody_or_beyond_four_kilobytes_is_refused(
    channel: FcmChannel, double: PushDouble
) -> None:
    long = Message("note_1", "x", "ko", "device-1", "제목", "가" * 1400)
    outcomes = [receipt.outcome for receipt in send(channel, message(""), long)]
    assert outcomes == [Outcome.REFUSED] * 2
    assert double.tokens == {}


@pytest.mark.parametrize("missing", ["project_id", "client_email", "private_key", "token_uri"])
def test_an_account_that_lacks_something_is_refused_at_the_start(
    double: PushDouble, missing: str
) -> None:
    account = json.loads(double.service_account())
    del account[missing]
    with pytest.raises(ValueError, match="service account"):
        read_account(json.dumps(account))
