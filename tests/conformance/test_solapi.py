"""Our SOLAPI channel against the double that the vendor's own client works with."""

import asyncio
import json
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from opsapp.channels import solapi as adapter
from opsapp.channels.base import Message, Outcome, Receipt
from opsapp.channels.solapi import SolapiChannel, cut, euc_kr_bytes, phone_digits, text_fields
from opsapp.kernel.db import TransactionMisuse, transaction
from tests.fakes import solapi
from tests.fakes.solapi import KEY, SECRET, SENDER, Raw, SolapiDouble

NUMBER = "01012345678"


@pytest.fixture(scope="module")
def server() -> Iterator[SolapiDouble]:
    with solapi.running() as double:
        yield double


@pytest.fixture
def double(server: SolapiDouble) -> SolapiDouble:
    server.forget()
    return server


@pytest.fixture
def channel(double: SolapiDouble) -> SolapiChannel:
    return channel_at(double.url)


def channel_at(url: str, **changes: str) -> SolapiChannel:
    values = {"url": url, "api_key": KEY, "api_secret": SECRET, "sender": SENDER}
    return SolapiChannel(**values | {"kakao_channel": "KA01PF1"} | changes)


def message(ref: str = "note_1", *, to: str = NUMBER, text: str = "안내", **more: Any) -> Message:
    return Message(ref, "payment_failed", "ko", to, "결제 안내", text, **more)


def many(count: int, **more: Any) -> list[Message]:
    return [message(f"note_{n}", to=f"010{n:08}", **more) for n in range(count)]


def send(channel: SolapiChannel, *messages: Message) -> list[Receipt]:
    return asyncio.run(channel.send_many(messages))


def send_abreast(channel: SolapiChannel, messages: Sequence[Message]) -> list[Receipt]:
    """As a worker does: each row asks for itself, many at a time."""

    async def sent() -> list[Receipt]:
        async with channel.connected():
            return await asyncio.gather(*(channel.send(each) for each in messages))

    return asyncio.run(sent())


def test_a_short_text_goes_as_sms_under_the_vendors_name_for_it(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    [receipt] = send(channel, message(to="010-1234-5678"))
    [sent] = double.sent
    assert receipt == Receipt(Outcome.ACCEPTED, provider_ref=sent["messageId"])
    assert (sent["type"], sent["to"], sent["from"]) == ("SMS", NUMBER, SENDER)
    assert sent["customFields"] == {"ref": "note_1"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [("가" * 45, "SMS"), ("가" * 45 + "!", "LMS"), ("a" * 90, "SMS"), ("뷁" * 45, "SMS")],
)
def test_ninety_bytes_as_the_carriers_count_them_are_an_sms(text: str, kind: str) -> None:
    assert text_fields("제목", text)["type"] == kind


def test_a_long_text_has_a_subject_of_forty_bytes_and_an_end() -> None:
    assert text_fields("가" * 30, "가" * 1000)["subject"] == "가" * 20
    assert euc_kr_bytes(cut("a가나", 4)) == 3


@pytest.mark.parametrize("text", ["가" * 1001, "", "  \n", "\ud800"])
def test_a_text_that_no_telephone_takes_is_refused_and_not_sent(
    channel: SolapiChannel, double: SolapiDouble, text: str
) -> None:
    [receipt] = send(channel, message(text=text))
    assert receipt.outcome is Outcome.REFUSED
    assert double.calls == []


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("010-1234-5678", "01012345678"),
        ("+82 10-1234-5678", "01012345678"),
        ("+82 (0)10 1234 5678", "01012345678"),
        ("02-588-1234", "025881234"),
    ],
)
def test_a_number_is_read_however_people_write_it(written: str, digits: str) -> None:
    assert phone_digits(written) == digits


@pytest.mark.parametrize("to", ["", "+1 415 555 0100", "1588-0000", "kim@example.com", "٠١٠١٢٣٤"])
def test_a_number_that_is_none_of_this_country_is_refused_without_quoting_it(
    channel: SolapiChannel, double: SolapiDouble, to: str
) -> None:
    receipts = send(channel, message("note_1", to=to), message("note_2"))
    assert [receipt.outcome for receipt in receipts] == [Outcome.REFUSED, Outcome.ACCEPTED]
    assert not to or to not in receipts[0].because
    assert len(double.sent) == 1


def test_an_alimtalk_names_its_template_and_falls_back_to_a_text_at_the_vendor(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    send(channel, message(template_ref="KA01TP1", variables={"이름": "김래원", "#{원}": "9,900"}))
    assert double.sent[0]["type"] == "ATA"
    assert double.sent[0]["kakaoOptions"] == {
        "pfId": "KA01PF1",
        "templateId": "KA01TP1",
        "variables": {"#{이름}": "김래원", "#{원}": "9,900"},
        "disableSms": False,
    }


def test_without_a_kakaotalk_channel_the_text_goes_in_its_place(double: SolapiDouble) -> None:
    send(channel_at(double.url, kakao_channel=""), message(template_ref="KA01TP1"))
    assert (double.sent[0]["type"], double.sent[0]["text"]) == ("SMS", "안내")


def test_each_message_of_a_batch_gets_its_own_answer_in_its_own_place(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    double.failing = {"01000000001": "3059", "01000000003": "1062"}
    receipts = send(channel, *many(5))
    assert [(receipt.outcome, receipt.because) for receipt in receipts] == [
        (Outcome.ACCEPTED, ""),
        (Outcome.REFUSED, "SOLAPI 3059"),
        (Outcome.ACCEPTED, ""),
        (Outcome.AWAY, "SOLAPI 1062"),  # our own number is not registered: ours to mend
        (Outcome.ACCEPTED, ""),
    ]
    named = {each["customFields"]["ref"]: each["messageId"] for each in double.sent}
    assert receipts[4].provider_ref == named["note_4"]
    assert len(double.calls) == 1


def test_when_all_have_failed_each_is_told_why(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    double.failing = {"01000000000": "3059", "01000000001": "3104"}
    assert [receipt.because for receipt in send(channel, *many(2))] == [
        "SOLAPI 3059",
        "SOLAPI 3104",
    ]


def test_two_notices_to_one_number_in_one_batch_are_two(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    receipts = send(channel, message("note_1"), message("note_2"))
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED] * 2
    assert len(double.sent) == 2


def test_without_our_reference_in_the_answer_the_number_and_the_count_decide(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    double.echoes = False
    double.failing = {"01000000001": "3059"}
    outcomes = [receipt.outcome for receipt in send(channel, *many(3))]
    assert outcomes == [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED]


@pytest.mark.parametrize("code", [NUMBER, "김래원", "", "30590", None, 3059])
def test_a_code_that_is_none_is_not_repeated(
    channel: SolapiChannel, double: SolapiDouble, code: Any
) -> None:
    failed = {"customFields": {"ref": "note_1"}, "statusCode": code, "messageId": NUMBER}
    double.raw = [Raw(200, json.dumps({"failedMessageList": [failed]}).encode())]
    assert send(channel, message()) == [Receipt(Outcome.REFUSED, "SOLAPI gives no code")]


def test_a_message_that_is_listed_under_another_code_was_not_taken(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    listed = {"customFields": {"ref": "note_1"}, "statusCode": "1999", "messageId": "M4V0000001"}
    double.raw = [Raw(200, json.dumps({"messageList": [listed]}).encode())]
    assert [receipt.outcome for receipt in send(channel, message())] == [Outcome.AWAY]


def test_one_channel_serves_threads_that_each_have_a_loop_of_their_own(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(send_abreast, channel, many(50)) for _ in range(8)]
    outcomes = {receipt.outcome for each in work for receipt in each.result()}
    assert outcomes == {Outcome.ACCEPTED}
    assert len(double.sent) == 400


def test_a_thousand_rows_that_ask_for_themselves_are_two_calls(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    receipts = send_abreast(channel, many(1000))
    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert [len(call["messages"]) for call in double.calls] == [500, 500]
    named = {each["customFields"]["ref"]: each["messageId"] for each in double.sent}
    assert [receipt.provider_ref for receipt in receipts] == [
        named[f"note_{n}"] for n in range(1000)
    ]


def test_each_call_is_signed_anew(channel: SolapiChannel, double: SolapiDouble) -> None:
    for _ in range(3):
        send(channel, message())
    assert len(double.salts) == len(set(double.authorizations)) == 3


def test_a_message_that_the_vendor_cannot_read_takes_no_other_one_with_it(
    double: SolapiDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "phone_digits", lambda text: text)
    messages = many(64)
    messages[37] = message("note_bad", to="odd")
    receipts = send(channel_at(double.url), *messages)
    assert receipts.pop(37) == Receipt(Outcome.REFUSED, "SOLAPI ValidationError")
    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert len(double.sent) == 63
    assert len(double.calls) == 13  # 1 + 2 for each halving of 64


def test_a_vendor_that_can_read_nothing_is_asked_a_bounded_number_of_times(
    channel: SolapiChannel, double: SolapiDouble
) -> None:
    double.raw = [Raw(400, b'{"errorCode":"ValidationError"}')] * 1000
    receipts = send(channel, *many(500))
    assert 1000 - len(double.raw) == 40
    assert {receipt.outcome for receipt in receipts} == {Outcome.REFUSED, Outcome.AWAY}


@pytest.mark.parametrize(
    ("changes", "because"),
    [({"api_secret": "wrong"}, "SignatureDoesNotMatch"), ({"api_key": "WRONG"}, "InvalidApiKey")],
)
def test_what_is_wrong_with_our_key_costs_no_message(
    double: SolapiDouble, changes: dict[str, str], because: str
) -> None:
    receipts = send(channel_at(double.url, **changes), *many(2))
    assert receipts == [Receipt(Outcome.AWAY, f"SOLAPI {because}")] * 2


@pytest.mark.parametrize(
    "raw",
    [
        Raw(500, b'{"errorCode":"InternalError"}'),
        Raw(503, b"<html>away</html>"),
        Raw(429, b""),
        Raw(402, b'{"errorCode":"NotEnoughBalance"}'),
        Raw(302, b""),
        Raw(200, b"<html>hello</html>"),
        Raw(200, b"[]"),
        Raw(200, b'{"failedMessageList":"none"}'),
        Raw(200, None),
    ],
)
def test_what_nobody_understands_is_asked_again_later(
    channel: SolapiChannel, double: SolapiDouble, raw: Raw
) -> None:
    double.raw = [raw]
    assert [receipt.outcome for receipt in send(channel, *many(2))] == [Outcome.AWAY] * 2


def test_nobody_there_is_no_refusal() -> None:
    [receipt] = send(channel_at("http://127.0.0.1:9"), message())
    assert receipt == Receipt(Outcome.AWAY, "ClientConnectorError")


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "CALL_TIMEOUT_S", 0.3)
    monkeypatch.setattr(adapter, "LEAST_CALL_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert send(channel_at(url), message())[0].outcome is Outcome.AWAY


def test_nothing_is_sent_while_a_transaction_is_open(
    app: Flask, channel: SolapiChannel, double: SolapiDouble
) -> None:
    with transaction(), pytest.raises(TransactionMisuse):
        send(channel, message())
    assert double.calls == []
