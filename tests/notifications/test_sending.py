from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from opsapp.channels.base import Outcome, Receipt
from opsapp.customers.models import Customer
from opsapp.gateways.values import Account
from opsapp.kernel.db import TransactionMisuse, db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.notifications import delivering, sending
from opsapp.notifications.models import Notice
from opsapp.notifications.sending import NewNotice
from opsapp.payments.events import (
    DepositsAwaited,
    PaymentFact,
    PaymentsFailed,
    PaymentsPaid,
    RefundFact,
    RefundsMade,
)
from tests.factories.payments import make_customer
from tests.notifications.conftest import BY, VALUES, Sent, make_due, notice, queue


def test_a_notice_is_sent_once_and_logged(sent: Sent) -> None:
    notice_id = queue()
    for _ in range(2):
        delivering.send_notices([notice_id], by=BY)
    [message] = sent.messages
    assert message.ref == notice(notice_id).ref
    assert notice(notice_id).status == "sent"
    with transaction():
        entries = db.session.scalars(
            select(AuditEntry.action)
            .where(AuditEntry.subject_type == "notice")
            .order_by(AuditEntry.id)
        )
        assert list(entries) == ["notice.queued", "notice.sending", "notice.sent"]


def test_the_same_news_is_told_once(sent: Sent) -> None:
    customer_id = make_customer()
    wish = NewNotice("payment_failed", "payment", 7, customer_id, VALUES)
    with transaction():
        assert sending.queue_notices([wish], by=BY) == 1
    with transaction():
        assert sending.queue_notices([wish, replace(wish, subject_id=8)], by=BY) == 1


def test_a_channel_that_is_away_is_tried_again_later_and_then_given_up(sent: Sent) -> None:
    sent.answer = Receipt(Outcome.AWAY, "SMTP 451")
    notice_id = queue()
    delivering.send_notices([notice_id], by=BY)
    delivering.send_notices([notice_id], by=BY)  # not due yet
    waiting = notice(notice_id)
    assert (waiting.status, waiting.turns, waiting.error) == ("queued", 1, "SMTP 451")
    assert waiting.due_at - datetime.now(UTC) > timedelta(seconds=50)
    make_due(turns=11)
    delivering.send_notices([notice_id], by=BY)
    assert notice(notice_id).status == "failed"
    assert len(sent.messages) == 2


def test_a_refusal_is_final(sent: Sent) -> None:
    sent.answer = Receipt(Outcome.REFUSED, "SMTP 550")
    notice_id = queue()
    delivering.send_notices([notice_id], by=BY)
    assert (notice(notice_id).status, notice(notice_id).error) == ("failed", "SMTP 550")


def test_a_notice_of_a_dead_worker_is_sent_again_and_its_late_answer_discarded(sent: Sent) -> None:
    notice_id = queue()
    with transaction():
        [dead] = delivering._claim([notice_id], by=BY)
    delivering.send_notices([notice_id], by=BY)
    assert sent.messages == []  # the lease still runs
    make_due(leased_until=datetime(2020, 1, 1, tzinfo=UTC))
    delivering.send_notices([notice_id], by=BY)
    with transaction():
        delivering._record([(dead, Receipt(Outcome.REFUSED, "late"))], by=BY)
    assert notice(notice_id).status == "sent"
    assert len(sent.messages) == 1


def test_a_notice_that_cannot_be_worded_fails_and_stops_no_other(sent: Sent) -> None:
    broken, unknown, good = (
        queue(at="yesterday"),
        queue("no_such_kind", subject_id=8),
        queue(subject_id=9),
    )
    delivering.send_notices([broken, unknown, good], by=BY)
    assert [notice(each).status for each in (broken, unknown, good)] == ["failed", "failed", "sent"]


@pytest.mark.parametrize(
    ("locale", "subject", "phrases"),
    [
        ("ko", "[opsapp] 구독 요금이 결제되지 않았습니다", ["12,000원", "2026-11-22", "김래원 님"]),
        (
            "en",
            "[opsapp] Your subscription payment did not go through",
            ["₩12,000", "2026-11-22", "Hello 김래원"],
        ),
    ],
)
def test_a_text_is_in_the_customers_language_with_seoul_dates(
    sent: Sent, locale: str, subject: str, phrases: list[str]
) -> None:
    notice_id = queue()
    with transaction():
        db.session.execute(update(Customer).values(locale=locale))
    delivering.send_notices([notice_id], by=BY)
    [message] = sent.messages
    assert message.subject == subject
    assert all(phrase in message.text for phrase in phrases)


def test_what_waits_can_be_called_back_and_what_went_out_cannot(sent: Sent) -> None:
    gone, waiting = queue(), queue(subject_id=8)
    delivering.send_notices([gone], by=BY)
    with transaction():
        because = "the payment was made after all"
        count = sending.revoke(["payment_failed"], "payment", [7, 8], because=because, by=BY)
    assert count == 1
    assert (notice(gone).status, notice(waiting).status) == ("sent", "revoked")


def test_sending_is_not_done_inside_a_transaction(app: Flask) -> None:
    with transaction(), pytest.raises(TransactionMisuse):
        delivering.send_notices([1], by=BY)


def fact(customer_id: int, **changes: Any) -> PaymentFact:
    plain = PaymentFact(
        payment_id=5,
        subject_type="subscription",
        subject_id=3,
        period_index=0,
        customer_id=customer_id,
        payment_method_id=1,
        gateway_name="toss",
        method_kind="card",
        amount_minor=9900,
        currency="KRW",
        attempt_id=11,
        attempt_number=1,
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("failure_class", "subject_type", "kind"),
    [
        ("authentication_failure", "subscription", "payment_failed"),
        ("fraud_suspected", "subscription", "payment_failed"),
        ("expired_or_suspended", "subscription", "payment_method_unusable"),
        ("gateway_error", "subscription", None),
        ("configuration_error", "subscription", None),
        ("customer_cancelled", "subscription", None),
        ("authentication_failure", "order", None),
        (None, "subscription", None),
    ],
)
def test_customers_hear_of_failures_that_are_theirs_to_mend(
    sent: Sent, failure_class: str | None, subject_type: str, kind: str | None
) -> None:
    failed = fact(make_customer(), failure_class=failure_class, subject_type=subject_type)
    with transaction():
        sending.on_payments_failed(PaymentsFailed((failed,)))
    with transaction():
        assert list(db.session.scalars(select(Notice.kind))) == ([kind] if kind else [])


def test_a_deposit_request_names_the_account_and_the_row_does_not(sent: Sent) -> None:
    due_at = datetime(2026, 11, 25, 14, 59, tzinfo=UTC)
    account = Account("국민은행", "X6505636518308", due_at, None, is_expired=False)
    awaited = fact(make_customer(), account=account)
    with transaction():
        sending.on_deposits_awaited(DepositsAwaited((awaited,)))
    with transaction():
        [row] = db.session.scalars(select(Notice))
        assert "X6505636518308" not in str(row.values)
        notice_id = row.id
    delivering.send_notices([notice_id], by=BY)
    [message] = sent.messages
    assert "X6505636518308" in message.text
    assert "국민은행" in message.text
    assert "2026-11-25 23:59:00 KST" in message.text
    assert "9,900원" in message.subject


def test_a_refund_is_told(sent: Sent) -> None:
    made = RefundFact(4, 5, make_customer(), 3000, "KRW")
    with transaction():
        sending.on_refunds_made(RefundsMade((made,)))
    with transaction():
        [notice_id] = db.session.scalars(select(Notice.id))
    delivering.send_notices([notice_id], by=BY)
    assert "3,000원" in sent.messages[0].subject


def test_each_renewal_that_was_paid_gets_a_logged_receipt_in_one_statement(
    sent: Sent, statements: list[str]
) -> None:
    customer_id = make_customer()
    paid = tuple(fact(customer_id, payment_id=n) for n in range(1, 301))
    bought = fact(customer_id, payment_id=301, subject_type="order")
    with transaction():
        db.session.scalar(select(1))
        statements.clear()
        sending.on_payments_paid(PaymentsPaid((*paid, bought)))
        assert [each.split()[0] for each in statements] == ["SELECT", "WITH"]
        assert "ops_now()" in statements[0], "the moment of the transaction, read once"
        assert len(db.session.scalars(select(Notice.id)).all()) == 300
    with transaction():
        sending.on_payments_paid(PaymentsPaid(paid))
        assert len(db.session.scalars(select(Notice.id)).all()) == 300
    delivering.send_notices([1], by=BY)
    assert sent.messages[0].subject == "[opsapp] 9,900원 결제가 완료되었습니다"
