"""By which channel a notice goes, and what follows when it does not go there."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from opsapp.channels.base import Outcome, Receipt
from opsapp.customers.models import Customer, OneTimeLink, PushAddress
from opsapp.kernel import events
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering, queries, rules, sending
from opsapp.notifications.events import NoticesAttempted
from opsapp.notifications.models import Notice, NoticeDelivery
from opsapp.notifications.sending import NewNotice
from opsapp.reactions import REACTIONS
from tests.factories.payments import make_customer
from tests.fakes.push import PushDouble
from tests.fakes.solapi import Raw, SolapiDouble
from tests.notifications.conftest import (
    BY,
    NOON,
    VALUES,
    Sent,
    add_apps,
    make_due,
    notice,
    queue,
    queue_many,
    send,
    set_clock,
    tries,
)

NUMBER = "01000001234"
EVENING = datetime(2027, 1, 4, 13, tzinfo=UTC)  # 22:00 in Seoul
MORNING = datetime(2027, 1, 4, 23, tzinfo=UTC)


def test_the_first_channel_that_reaches_the_customer_takes_it_in_its_own_short_words(
    sent: Sent, phones: SolapiDouble
) -> None:
    notice_id = queue()
    send(notice_id)
    [message] = phones.sent
    assert message["to"] == NUMBER
    assert message["text"].startswith("[opsapp] 2026-11-22 구독 요금 12,000원이 결제되지")
    assert sent.messages == []
    assert tries(notice_id) == [("sms", "accepted")]
    assert (notice(notice_id).status, notice(notice_id).channel) == ("sent", "sms")


def test_what_one_channel_refuses_goes_to_the_next_at_once_and_no_further(
    sent: Sent, phones: SolapiDouble
) -> None:
    phones.failing[NUMBER] = "3104"
    notice_id = queue()
    for _ in range(3):
        send(notice_id)
    assert tries(notice_id) == [("sms", "refused"), ("email", "accepted")]
    assert len(sent.messages) == 1
    assert notice(notice_id).status == "sent"


def test_when_the_last_channel_refuses_it_has_failed(sent: Sent, phones: SolapiDouble) -> None:
    phones.failing[NUMBER] = "3104"
    sent.answer = Receipt(Outcome.REFUSED, "SMTP 550")
    notice_id = queue()
    for _ in range(3):
        send(notice_id)
    assert (notice(notice_id).status, notice(notice_id).error) == ("failed", "SMTP 550")


def test_a_channel_that_is_away_is_waited_for_only_while_no_other_one_is_better(
    sent: Sent, phones: SolapiDouble
) -> None:
    phones.always = Raw(status=503)
    notice_id = queue()
    for _ in range(5):
        send(notice_id)
        make_due()
    assert tries(notice_id) == [*[("sms", "away")] * 4, ("email", "accepted")]


def test_a_customer_without_any_address_is_nobodys_turn(sent: Sent, phones: SolapiDouble) -> None:
    notice_id = queue()
    with transaction():
        db.session.execute(update(Customer).values(email="", phone=""))
    send(notice_id)
    assert tries(notice_id) == []
    assert notice(notice_id).status == "failed"
    assert "no address" in (notice(notice_id).error or "")


def test_an_app_that_is_gone_is_forgotten_and_the_customers_other_one_told(
    sent: Sent, apps: PushDouble
) -> None:
    customer_id = make_customer()
    add_apps(customer_id, "phone-of-kim", "gone-tablet")
    notice_id = queue("recovery_reminder", customer_id=customer_id, attempt=1, attempts_max=3,
                      next_try_at=VALUES["at"])  # fmt: skip
    for _ in range(2):
        send(notice_id)
    assert tries(notice_id) == [("fcm", "refused"), ("fcm", "accepted")]
    [message] = apps.messages
    assert message["token"] == "phone-of-kim"
    assert message["data"]["link"].startswith("http://127.0.0.1:8000/my/payment-method/")
    assert "http" not in message["notification"]["body"], "it leads there when it is touched"
    with transaction():
        assert len(db.session.scalars(select(PushAddress.id)).all()) == 1


def test_an_address_belongs_to_whoever_named_it_last_and_stands_in_no_row_in_clear(
    apps: PushDouble,
) -> None:
    first, second = make_customer(), make_customer()
    add_apps(first, "phone-of-kim", "phone-of-kim")
    add_apps(second, *(f"phone-{n}" for n in range(12)), "phone-of-kim")
    with transaction():
        rows = db.session.scalars(select(PushAddress)).all()
        assert {row.customer_id for row in rows} == {second}
        assert len(rows) == 10
        assert all(b"phone" not in row.address_sealed for row in rows)


def test_each_channel_has_a_width_of_its_own(sent: Sent, phones: SolapiDouble) -> None:
    ids = queue_many(60)
    mailed = queue_many(40, "payment_receipt")[60:]
    send(*ids, *mailed)
    assert len(phones.calls) == 1, "text messages leave together"
    assert len(sent.messages) == 40
    assert sent.most <= sent.abreast_max


@pytest.mark.parametrize(
    ("kind", "channel", "moment", "rings_at"),
    [
        ("payment_failed", "sms", EVENING, MORNING),
        ("payment_failed", "fcm", datetime(2027, 1, 4, 12, 0, tzinfo=UTC), MORNING),  # 21:00
        ("payment_failed", "sms", datetime(2027, 1, 4, 11, 59, tzinfo=UTC), None),
        ("payment_failed", "webpush", datetime(2027, 1, 4, 15, 0, tzinfo=UTC), MORNING),
        ("payment_failed", "sms", datetime(2027, 1, 4, 22, 59, tzinfo=UTC), MORNING),  # 07:59
        ("payment_failed", "sms", MORNING, None),
        ("deposit_requested", "sms", EVENING, None),
        ("payment_failed", "email", EVENING, None),
    ],
)
def test_telephones_are_quiet_at_night_but_for_what_is_urgent(
    kind: str, channel: str, moment: datetime, rings_at: datetime | None
) -> None:
    assert rules.quiet_until(kind, channel, moment) == rings_at


def test_what_comes_up_at_night_waits_for_the_morning(sent: Sent, phones: SolapiDouble) -> None:
    set_clock(EVENING)
    waits, goes = queue(), queue("deposit_requested", bank="국민은행", account="X1",
                                 due_at=VALUES["at"])  # fmt: skip
    send(waits, goes)
    assert (notice(waits).status, notice(goes).status) == ("queued", "sent")
    assert notice(waits).due_at == MORNING
    set_clock(MORNING)
    send(waits)
    assert tries(waits) == [("sms", "accepted")]


def test_what_is_planned_for_later_does_not_go_before(sent: Sent, phones: SolapiDouble) -> None:
    later = NOON + timedelta(days=3)
    wish = NewNotice("payment_failed", "payment", 1, make_customer(), VALUES, not_before=later)
    with transaction():
        sending.queue_notices([wish], by=BY)
    send(1)
    assert phones.sent == []
    set_clock(later)
    send(1)
    assert len(phones.sent) == 1


def test_what_was_called_back_under_way_is_neither_tried_again_nor_sent_elsewhere(
    sent: Sent, phones: SolapiDouble
) -> None:
    under_way, waiting = queue(), queue("payment_method_unusable")
    with transaction():
        [claim] = delivering._claim([under_way], by=BY)
    with transaction():
        kinds = ("payment_failed", "payment_method_unusable")
        assert sending.revoke(kinds, "payment", [7], because="cancelled", by=BY) == 1
        assert queries.count_open_about(kinds, "payment", [7]) == 0
    with transaction():
        delivering._record([(claim, Receipt(Outcome.REFUSED, "SOLAPI 3104"))], by=BY)
    assert notice(under_way).status == "revoked"
    for _ in range(2):
        send(under_way, waiting)
    assert sent.messages == []
    assert phones.sent == []
    assert (notice(under_way).status, notice(waiting).status) == ("revoked", "revoked")
    with transaction():
        assert sending.send_again("payment_failed", "payment", [7], by=BY) == 1
    send(under_way)
    assert len(phones.sent) == 1, "asked for again it goes"


def test_what_was_called_back_and_lost_its_worker_does_not_go_out_either(
    sent: Sent, phones: SolapiDouble
) -> None:
    notice_id = queue()
    with transaction():
        delivering._claim([notice_id], by=BY)
    with transaction():
        assert sending.revoke(["payment_failed"], "payment", [7], because="gone", by=BY) == 0
    make_due(leased_until=datetime(2020, 1, 1, tzinfo=UTC))
    send(notice_id)
    assert (phones.sent, sent.messages) == ([], [])
    assert notice(notice_id).status == "revoked"


def test_every_try_is_told_to_the_rooms_above_and_can_be_asked_for(
    sent: Sent, phones: SolapiDouble
) -> None:
    told: list[NoticesAttempted] = []
    events.install({NoticesAttempted: [told.append]})
    try:
        reached, unreached = queue(subject_id=1), queue(subject_id=2)
        with transaction():
            of_second = select(Customer.id).order_by(Customer.id.desc()).limit(1)
            nobody = update(Customer).where(Customer.id == of_second.scalar_subquery())
            db.session.execute(nobody.values(email="", phone=""))
        send(reached, unreached)
    finally:
        events.install(REACTIONS)
    facts = [fact for event in told for fact in event.notices]
    assert {(fact.subject_id, fact.kind, fact.outcome) for fact in facts} == {
        (1, "payment_failed", "accepted"),
        (2, "payment_failed", "unreachable"),
    }
    with transaction():
        tries = select(Notice.subject_id, NoticeDelivery.at).join(
            NoticeDelivery, NoticeDelivery.notice_id == Notice.id
        )
        [(subject_id, at)] = db.session.execute(tries)
    assert subject_id == 1
    assert at - NOON < timedelta(minutes=1)


def test_a_link_opens_what_the_notice_names_not_what_it_is_about(
    sent: Sent, phones: SolapiDouble
) -> None:
    subject = {"type": "subscription", "id": 41}
    notice_id = queue("upcoming_charge", link_subject=subject, plan="기본", charge_on="2027-01-05",
                      method_label="현대카드 1234")  # fmt: skip
    send(notice_id)
    with transaction():
        [link] = db.session.scalars(select(OneTimeLink))
        assert (link.purpose, link.subject_type, link.subject_id) == (
            "subscription",
            "subscription",
            41,
        )
    assert "/my/subscription/" in phones.sent[0]["text"]
