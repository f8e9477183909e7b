"""The vendor's own client against our double of SOLAPI, and beside it what ours sends there."""

import asyncio
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from solapi import SolapiMessageService
from solapi.error.MessageNotReceiveError import MessageNotReceivedError
from solapi.model import KakaoOption, RequestMessage
from solapi.model.request.send_message_request import SendRequestConfig
from solapi.model.webhook.single_report import SingleReportPayload

from opsapp.channels.base import Message, Outcome
from opsapp.channels.solapi import SolapiChannel
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
def sdk(double: SolapiDouble) -> SolapiMessageService:
    service = SolapiMessageService(KEY, SECRET)
    service.base_url = double.url
    return service


def text(body: str = "결제 안내", *, to: str = "010-1234-5678", **more: Any) -> RequestMessage:
    return RequestMessage(from_=SENDER, to=to, text=body, **more)


def test_the_vendors_client_sends_a_text_and_reads_our_doubles_answer(
    sdk: SolapiMessageService, double: SolapiDouble
) -> None:
    answer = sdk.send(text(), SendRequestConfig(show_message_list=True))
    assert answer.group_info.count.registered_success == 1
    assert answer.message_list is not None
    assert answer.message_list[0].status_code == "2000"
    assert [each["to"] for each in double.sent] == [NUMBER]


def test_the_vendors_client_sends_an_alimtalk(
    sdk: SolapiMessageService, double: SolapiDouble
) -> None:
    options = KakaoOption(pf_id="KA01PF1", template_id="KA01TP1", variables={"이름": "김래원"})
    sdk.send(RequestMessage(from_=SENDER, to=NUMBER, type="ATA", kakao_options=options))
    assert double.sent[0]["kakaoOptions"]["variables"] == {"#{이름}": "김래원"}


def test_the_vendors_client_raises_when_all_have_failed_and_not_when_some_have(
    sdk: SolapiMessageService, double: SolapiDouble
) -> None:
    double.failing = {"01000000001": "3059"}
    with pytest.raises(MessageNotReceivedError) as failed:
        sdk.send(text(to="01000000001"))
    assert failed.value.failed_messages[0].status_code == "3059"
    answer = sdk.send([text(to="01000000001"), text()])
    assert answer.failed_message_list is not None
    assert [each.to for each in answer.failed_message_list] == ["01000000001"]


def test_the_vendors_client_is_told_what_is_wrong_with_its_key_and_the_servers(
    sdk: SolapiMessageService, double: SolapiDouble
) -> None:
    double.raw = [Raw(503, b"away")]
    with pytest.raises(Exception, match="away"):
        sdk.send(text())
    sdk.auth_info["api_secret"] = "another"
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        sdk.send(text())


def test_a_salt_is_good_once_and_a_date_for_a_quarter_of_an_hour(
    sdk: SolapiMessageService, double: SolapiDouble
) -> None:
    sdk.send(text())
    body = json.dumps({"messages": [{"to": NUMBER, "from": SENDER, "text": "또"}]}).encode()
    assert _again(double, body) == "DuplicatedSignature"
    double.now = datetime.now(UTC) + timedelta(minutes=16)
    with pytest.raises(Exception, match="RequestTimeTooSkewed"):
        sdk.send(text())


def test_both_clients_say_the_same_of_the_same_message(
    sdk: SolapiMessageService, double: SolapiDouble
) -> None:
    options = KakaoOption(pf_id="KA01PF1", template_id="KA01TP1", variables={"금액": "9,900원"})
    theirs = [
        text("짧은 글", type="SMS", auto_type_detect=False),
        text("가" * 60, type="LMS", subject="결제 안내", auto_type_detect=False),
        RequestMessage(
            from_=SENDER, to=NUMBER, type="ATA", kakao_options=options, auto_type_detect=False
        ),
    ]
    sdk.send(theirs, SendRequestConfig(show_message_list=True, allow_duplicates=True))
    channel = SolapiChannel(
        url=double.url, api_key=KEY, api_secret=SECRET, sender=SENDER, kakao_channel="KA01PF1"
    )
    ours = [
        _message("note_1", "짧은 글"),
        _message("note_2", "가" * 60),
        _message("note_3", "", template_ref="KA01TP1", variables={"금액": "9,900원"}),
    ]
    receipts = asyncio.run(channel.send_many(ours))
    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    said, repeated = double.calls
    for message in repeated["messages"]:
        assert message.pop("customFields")["ref"].startswith("note_")
    assert {**said, "agent": None} == {**repeated, "agent": None}


def test_the_vendors_models_read_the_reports_that_ours_are_tested_with() -> None:
    read = SingleReportPayload.model_validate_json(
        solapi.reports({"messageId": "M4V0000001", "statusCode": "4000"})
    )
    assert read.root[0].data.status_code == "4000"


def test_what_the_vendors_models_write_our_door_reads() -> None:
    ids = {"M4V0000001": "4000", "M4V0000002": "3104", "M4V0000003": "3000"}
    theirs = SingleReportPayload.model_validate_json(
        solapi.reports(*({"messageId": name, "statusCode": code} for name, code in ids.items()))
    )
    secret = "secret-of-the-webhook"
    shown = hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest()
    channel = SolapiChannel(
        url="", api_key=KEY, api_secret=SECRET, sender=SENDER, webhook_secret=secret
    )
    body = theirs.model_dump_json(by_alias=True).encode()
    headers = {"x-solapi-secret": shown, "x-solapi-event-name": "SINGLE-REPORT"}
    found = channel.parse_reports(headers, body, now=datetime(2026, 11, 22, tzinfo=UTC))
    assert {report.provider_ref: report.code for report in found} == {
        each.data.message_id: each.data.status_code
        for each in theirs.root
        if each.data.status_code != "3000"
    }


def _message(ref: str, body: str, **more: Any) -> Message:
    return Message(ref, "payment_failed", "ko", "010-1234-5678", "결제 안내", body, **more)


def _again(double: SolapiDouble, body: bytes) -> str:
    headers = {"Authorization": double.authorizations[-1], "Content-Type": "application/json"}
    request = urllib.request.Request(double.url + solapi.PATH, data=body, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    with refused.value as answer:
        return str(json.loads(answer.read())["errorCode"])
