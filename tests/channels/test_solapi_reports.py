"""Delivery reports of SOLAPI: who is believed, what is read, what is refused whole."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from opsapp.channels.base import DeliveryReport, DeliveryStatus, ReportRefused
from opsapp.channels.solapi import SolapiChannel
from tests.fakes.solapi import reports

SECRET = "secret-of-the-webhook"
SHOWN = hashlib.sha1(SECRET.encode(), usedforsecurity=False).hexdigest()
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HEADERS = {"x-solapi-secret": SHOWN, "x-solapi-event-name": "SINGLE-REPORT"}
CHANNEL = SolapiChannel(
    url="", api_key="k", api_secret="s", sender="0215881234", webhook_secret=SECRET
)


def parse(body: bytes, headers: dict[str, str] | None = None) -> list[DeliveryReport]:
    return CHANNEL.parse_reports(HEADERS if headers is None else headers, body, now=NOW)


def said(code: str = "4000", name: str = "M4V0000001", **more: Any) -> dict[str, Any]:
    return {
        "messageId": name,
        "groupId": "G4V0000001",
        "type": "SMS",
        "statusCode": code,
        "statusMessage": "010-1234-5678 수신완료",
        "dateReported": "2026-11-22T02:59:00.000Z",
    } | more


def test_reports_tell_what_was_delivered_and_what_was_not() -> None:
    found = parse(reports(said(), said("3104", "M4V0000002")))
    at = datetime(2026, 11, 22, 2, 59, tzinfo=UTC)
    assert found == [
        DeliveryReport("M4V0000001", DeliveryStatus.DELIVERED, "4000", at),
        DeliveryReport("M4V0000002", DeliveryStatus.FAILED, "3104", at),
    ]


def test_a_report_that_comes_bare_is_the_same() -> None:
    assert parse(json.dumps([said()]).encode()) == parse(reports(said()))


def test_a_step_on_the_way_is_no_end() -> None:
    assert parse(reports(said("2000"), said("3000"))) == []


@pytest.mark.parametrize(
    "date", [None, 5, "", "yesterday", "2026-11-22 02:59:00", "2027-01-01T00:00:00Z", ["x"]]
)
def test_a_time_that_is_none_or_lies_ahead_is_now(date: Any) -> None:
    [report] = parse(reports(said(dateReported=date)))
    assert report.at == NOW


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-solapi-secret": ""},
        {"x-solapi-secret": SECRET},
        {"x-solapi-secret": SHOWN[:-1]},
        {"x-solapi-secret": "\udcff"},
        {"x-solapi-secret": SHOWN, "x-solapi-event-name": "GROUP-REPORT"},
    ],
)
def test_who_does_not_show_our_secret_or_tells_of_other_things_is_refused(
    headers: dict[str, str],
) -> None:
    with pytest.raises(ReportRefused):
        parse(reports(said()), headers)


def test_without_a_secret_of_ours_nobody_is_believed() -> None:
    open_door = SolapiChannel(url="", api_key="k", api_secret="s", sender="0215881234")
    empty = hashlib.sha1(b"", usedforsecurity=False).hexdigest()
    for shown in ("", empty):
        with pytest.raises(ReportRefused):
            open_door.parse_reports({"x-solapi-secret": shown}, reports(said()), now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b"\xff",
        b"[" * 20_000,
        b'[{"data": []}]',
        b'[{"messageId": "M4V0000001", "messageId": "M4V0000002", "statusCode": "4000"}]',
        reports(said(), said(name="01012345678")),
        reports(said(name="\ud800" * 10)),
        reports(said(), {"messageId": "M4V0000002"}),
        reports(said(), said("4000; DROP")),
        reports(*[said()] * 10_001),
    ],
)
def test_what_cannot_be_read_is_refused_whole(body: bytes) -> None:
    with pytest.raises(ReportRefused):
        parse(body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "messageId": st.sampled_from(["M4V0000001", "", "01012345678"]) | ANYTHING,
        "statusCode": st.sampled_from(["4000", "2000", "3104"]) | ANYTHING,
        "dateReported": st.datetimes().map(datetime.isoformat) | ANYTHING,
        "data": ANYTHING,
    },
)
BODIES = (
    st.lists(MESSAGES | st.fixed_dictionaries({"data": MESSAGES}), max_size=3).map(
        lambda read: json.dumps(read).encode()
    )
    | ANYTHING.map(lambda read: json.dumps(read).encode())
    | st.binary(max_size=40)
)


@hypothesis_settings(max_examples=200, deadline=None)
@given(BODIES)
def test_any_body_whatever_is_read_or_refused(body: bytes) -> None:
    try:
        found = parse(body)
    except ReportRefused:
        return
    for report in found:
        assert report.at.tzinfo is not None
        assert report.at <= NOW + timedelta(minutes=5)
        assert "010" not in report.provider_ref
