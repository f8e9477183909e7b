"""What providers report: whenever it comes, how often, and in whichever order."""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from opsapp.channels.base import DeliveryReport, DeliveryStatus, Outcome, Receipt
from opsapp.insights.probing import run_probes
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering, reporting, sending
from opsapp.notifications.models import WaitingReport
from tests.fakes.solapi import SolapiDouble, reports
from tests.notifications.conftest import (
    BY,
    NOON,
    WEBHOOK_SECRET,
    Sent,
    notice,
    provider_ref,
    queue,
    send,
    tries,
)

SHOWN = hashlib.sha1(WEBHOOK_SECRET.encode(), usedforsecurity=False).hexdigest()
DELIVERED, FAILED = DeliveryStatus.DELIVERED, DeliveryStatus.FAILED


def report(ref: str, *told: DeliveryStatus) -> None:
    """In one call each."""
    for status in told:
        code = "4000" if status is DELIVERED else "3104"
        with transaction():
            reporting.receive_reports("sms", [DeliveryReport(ref, status, code, NOON)], by=BY)


def knock(app: Flask, body: bytes, *, shown: str = SHOWN) -> tuple[int, str]:
    headers = {"X-Solapi-Secret": shown, "X-Solapi-Event-Name": "SINGLE-REPORT"}
    answer = app.test_client().post("/webhooks/solapi", data=body, headers=headers)
    return answer.status_code, answer.json["code"] if answer.json else ""


def said(ref: str, code: str) -> dict[str, str]:
    return {"messageId": ref, "statusCode": code, "dateReported": "2026-11-22T02:59:00.000Z"}


def waiting() -> int:
    with transaction():
        return db.session.scalars(select(func.count()).select_from(WaitingReport)).one()


def test_what_arrived_is_noted_and_goes_nowhere_else(sent: Sent, phones: SolapiDouble) -> None:
    notice_id = queue()
    send(notice_id)
    report(provider_ref(notice_id), DELIVERED, DELIVERED, FAILED)
    send(notice_id)
    assert tries(notice_id) == [("sms", "delivered")]
    assert (notice(notice_id).status, sent.messages) == ("sent", [])
    assert waiting() == 0


def test_what_did_not_arrive_goes_to_the_next_channel_once(
    sent: Sent, phones: SolapiDouble
) -> None:
    notice_id = queue()
    send(notice_id)
    ref = provider_ref(notice_id)
    report(ref, FAILED)
    assert (notice(notice_id).status, notice(notice_id).error) == ("queued", "3104")
    send(notice_id)
    report(ref, FAILED)
    send(notice_id)
    assert tries(notice_id) == [("sms", "failed"), ("email", "accepted")]
    assert len(sent.messages) == 1


def test_without_another_channel_it_has_failed(sent: Sent, phones: SolapiDouble) -> None:
    notice_id = queue("payment_failed")
    send(notice_id)
    with transaction():
        sending.revoke(["payment_failed"], "payment", [7], because="cancelled", by=BY)
    report(provider_ref(notice_id), FAILED)
    send(notice_id)
    assert (notice(notice_id).status, sent.messages) == ("failed", [])


@pytest.mark.parametrize("order", sorted(set(permutations([DELIVERED, FAILED, FAILED]))))
def test_reports_in_any_order_end_in_what_arrived(
    sent: Sent, phones: SolapiDouble, order: Sequence[DeliveryStatus]
) -> None:
    notice_id = queue()
    send(notice_id)
    report(provider_ref(notice_id), *order)
    send(notice_id)
    assert tries(notice_id) == [("sms", "delivered")]
    assert (notice(notice_id).status, notice(notice_id).error) == ("sent", None)
    assert sent.messages == [], "nobody is told twice"


@pytest.mark.parametrize("order", [(DELIVERED, FAILED), (FAILED, DELIVERED)])
def test_reports_that_contradict_each_other_in_one_message_end_in_what_arrived(
    sent: Sent, phones: SolapiDouble, order: Sequence[DeliveryStatus]
) -> None:
    notice_id = queue()
    send(notice_id)
    ref = provider_ref(notice_id)
    both = [DeliveryReport(ref, status, "4000", NOON) for status in order]
    with transaction():
        reporting.receive_reports("sms", both, by=BY)
    assert tries(notice_id) == [("sms", "delivered")]
    assert notice(notice_id).status == "sent"


def test_what_became_of_an_earlier_try_sends_nothing_once_it_was_sent_again(
    sent: Sent, phones: SolapiDouble
) -> None:
    notice_id = queue()
    send(notice_id)
    with transaction():
        sending.send_one_again(notice_id, by=BY)
    send(notice_id)
    report(provider_ref(notice_id), FAILED)
    send(notice_id)
    assert tries(notice_id) == [("sms", "failed"), ("sms", "accepted")]
    assert (notice(notice_id).status, sent.messages) == ("sent", [])
    assert {row.id: row.violations for row in run_probes()}["I8"] == 0, "the log tells the same"


def test_a_report_that_is_faster_than_our_own_record_waits_for_it(
    sent: Sent, phones: SolapiDouble
) -> None:
    notice_id = queue()
    with transaction():
        [claim] = delivering._claim([notice_id], by=BY)
    report("M4VEARLY0001", FAILED)
    assert waiting() == 1
    answer = Receipt(Outcome.ACCEPTED, provider_ref="M4VEARLY0001")
    with transaction():
        delivering._record([(claim, answer)], by=BY)
    assert tries(notice_id) == [("sms", "failed")]
    assert notice(notice_id).status == "queued"
    assert waiting() == 0


def test_reports_about_strangers_change_nothing_and_are_dropped_after_days(
    sent: Sent, phones: SolapiDouble
) -> None:
    notice_id = queue()
    send(notice_id)
    report("M4VSTRANGER1", FAILED, FAILED)
    assert (tries(notice_id), waiting()) == ([("sms", "accepted")], 1)
    with transaction():
        long_ago = func.clock_timestamp() - reporting.KEPT - timedelta(seconds=1)
        db.session.execute(update(WaitingReport).values(received_at=long_ago))
    report("M4VSTRANGER2", FAILED)
    assert waiting() == 1


def test_the_door_takes_reports_of_who_knows_the_secret(
    app: Flask, sent: Sent, phones: SolapiDouble
) -> None:
    first, second = queue(subject_id=1), queue(subject_id=2)
    send(first, second)
    body = reports(said(provider_ref(first), "4000"), said(provider_ref(second), "3104"))
    assert knock(app, body, shown="0" * 40) == (400, "unreadable")
    assert knock(app, b"nonsense") == (400, "unreadable")
    assert tries(first) == [("sms", "accepted")]
    for _ in range(2):
        assert knock(app, body) == (200, "stored")
    assert tries(first) == [("sms", "delivered")]
    assert tries(second) == [("sms", "failed")]
    assert (notice(first).status, notice(second).status) == ("sent", "queued")


def test_thousands_of_reports_in_one_message_are_taken_and_more_bytes_are_not(
    app: Flask, sent: Sent, phones: SolapiDouble
) -> None:
    many = [said(f"M4VSTRANGER{n:05}", "4000") for n in range(5000)]
    assert knock(app, reports(*many)) == (200, "stored")
    assert waiting() == 5000
    huge = json.dumps([said("M4VSTRANGER1", "4000") | {"text": "x" * 9_000_000}]).encode()
    assert knock(app, huge) == (400, "unreadable")


def test_without_solapi_there_is_no_such_door(app: Flask, sent: Sent) -> None:
    assert knock(app, b"[]") == (404, "not_found")


def test_a_report_from_before_the_calendar_keeps_no_other_one_out(
    app: Flask, sent: Sent, phones: SolapiDouble
) -> None:
    notice_id = queue()
    send(notice_id)
    ref = provider_ref(notice_id)
    old = {"dateReported": "0001-01-01T00:00:00+14:00"}
    for body in ([said(ref, "3104") | old], [said(ref, "4000")]):
        assert knock(app, json.dumps(body).encode()) == (200, "stored")
    assert tries(notice_id)[0] == ("sms", "delivered")
    assert waiting() == 0
