"""What customers were told: the list with its filters, and everything about one notice."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, select

from opsapp.customers.models import Customer
from opsapp.insights import reading_wishes as reading
from opsapp.insights.reading_wishes import Query
from opsapp.insights.showing_payments import payment_behind
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.notifications.models import Notice, NoticeDelivery
from opsapp.notifications.rules import KINDS
from opsapp.notifications.states import OPEN, NoticeStatus

PAGE_SIZE = 30
PUSHES = ("fcm", "webpush")
ENTRIES_MAX = 100


@dataclass(frozen=True, slots=True)
class NoticeWish:
    """What the list shall show; empty: everything."""

    status: str = ""
    channel: str = ""
    kind: str = ""
    customer_id: int | None = None
    since: date | None = None  # of being ordered
    until: date | None = None


@dataclass(frozen=True, slots=True)
class NoticeCard:
    notice: Any  # the row, with its customer and the payment behind it
    deliveries: list[NoticeDelivery]  # oldest first
    entries: list[AuditEntry]  # newest first


def read_wish(query: Query) -> NoticeWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    return NoticeWish(
        status=reading.choice(query, "status", NoticeStatus),
        channel=reading.choice(query, "channel", reading.CHANNELS),
        kind=reading.choice(query, "kind", KINDS),
        customer_id=reading.whole_number(query, "customer"),
        since=since,
        until=until,
    )


def list_notices(wish: NoticeWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first, each with what became of its last try. Raises BadCursor."""
    last = (
        select(NoticeDelivery.status)
        .where(NoticeDelivery.notice_id == Notice.id)
        .order_by(NoticeDelivery.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = _notices().add_columns(last.label("delivery_status"))
    for column, wanted in (
        (Notice.status, wish.status),
        (Notice.channel, wish.channel),
        (Notice.kind, wish.kind),
    ):
        if wanted:
            statement = statement.where(column == wanted)
    if wish.channel in PUSHES:
        statement = statement.where(Notice.pushed_by == wish.channel)
    if wish.status in OPEN:
        statement = statement.where(Notice.is_open)
    elif wish.status in (NoticeStatus.FAILED, NoticeStatus.REVOKED):
        statement = statement.where(Notice.is_lost)
    if wish.customer_id is not None:
        statement = statement.where(Notice.customer_id == wish.customer_id)
    if wish.since:
        statement = statement.where(Notice.created_at >= seoul_midnight(wish.since))
    if wish.until:
        end = seoul_midnight(wish.until + timedelta(days=1))
        statement = statement.where(Notice.created_at < end)
    return page_of(statement, keys=(Notice.created_at, Notice.id), cursor=cursor, size=size)


def get_notice(notice_id: int) -> NoticeCard:
    """Raises NotFound."""
    statement = _notices().add_columns(
        Notice.ref, Notice.values, Notice.due_at, Notice.place, Notice.is_called_back,
        Customer.phone, Customer.locale,
    )  # fmt: skip
    row = db.session.execute(statement.where(Notice.id == notice_id)).one_or_none()
    if row is None:
        raise NotFound(noun="notice", id=notice_id)
    deliveries = select(NoticeDelivery).where(NoticeDelivery.notice_id == notice_id)
    entries = select(AuditEntry).where(
        AuditEntry.subject_type == "notice", AuditEntry.subject_id == notice_id
    )
    return NoticeCard(
        row,
        list(db.session.scalars(deliveries.order_by(NoticeDelivery.id).limit(ENTRIES_MAX))),
        list(db.session.scalars(entries.order_by(AuditEntry.id.desc()).limit(ENTRIES_MAX))),
    )


def _notices() -> Select[*tuple[Any, ...]]:
    return select(
        Notice.id, Notice.kind, Notice.subject_type, Notice.subject_id, Notice.channel,
        Notice.status, Notice.error, Notice.created_at, Notice.sent_at, Notice.customer_id,
        Customer.name.label("customer_name"), Customer.customer_ref, Customer.email,
        payment_behind(Notice.subject_type, Notice.subject_id).label("payment_id"),
    ).join(Customer, Customer.id == Notice.customer_id)  # fmt: skip
