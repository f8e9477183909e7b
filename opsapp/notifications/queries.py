"""Reads of notices."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from opsapp.customers.models import Customer
from opsapp.kernel.db import db, locked
from opsapp.kernel.paging import Page, page_of
from opsapp.kernel.turns import is_claimable
from opsapp.notifications.models import Notice
from opsapp.notifications.states import OPEN, NoticeStatus


def list_notices(
    *, statuses: Sequence[NoticeStatus], cursor: str | None = None, size: int = 50
) -> Page[Any]:
    """Those in one of the states, newest first. Rows have the notice's columns."""
    wanted = [status.value for status in statuses]
    return page_of(
        select(*Notice.__table__.c).where(Notice.status.in_(wanted)),
        keys=(Notice.id,),
        cursor=cursor,
        size=size,
    )


def list_about(subject_type: str, subject_ids: Sequence[int]) -> list[Notice]:
    """Newest first."""
    about = select(Notice).where(
        Notice.subject_type == subject_type, Notice.subject_id.in_(subject_ids)
    )
    return list(db.session.scalars(about.order_by(Notice.id.desc())))


def list_of_customer(customer_id: int, *, limit: int = 50) -> list[Notice]:
    of_customer = select(Notice).where(Notice.customer_id == customer_id)
    return list(db.session.scalars(of_customer.order_by(Notice.id.desc()).limit(limit)))


def lock_sendable(notice_ids: Sequence[int]) -> list[Any]:
    """Notices that nobody holds, with whom they go to.

    Rows that another worker is just claiming are passed over.
    """
    sendable = (
        select(
            Notice.id,
            Notice.ref,
            Notice.kind,
            Notice.channel,
            Notice.values,
            Notice.status,
            Notice.subject_type,
            Notice.subject_id,
            Notice.customer_id,
            Notice.fence,
            Notice.turns,
            Notice.due_at,
            Customer.email,
            Customer.name,
            Customer.locale,
            func.clock_timestamp().label("now"),
        )
        .join(Customer, Customer.id == Notice.customer_id)
        .where(
            Notice.id.in_(notice_ids),
            Notice.status.in_([status.value for status in OPEN]),
            is_claimable(Notice),
        )
        .order_by(Notice.id)
    )
    return list(db.session.execute(locked(sendable, of=Notice, skip=True)))


def lock_queued_about(kind: str, subject_type: str, subject_ids: Sequence[int]) -> list[Any]:
    """Id and status of what has not gone out yet."""
    return _lock_about(kind, subject_type, subject_ids, (NoticeStatus.QUEUED,))


def lock_ended_about(kind: str, subject_type: str, subject_ids: Sequence[int]) -> list[Any]:
    """Id and status of what nobody will send any more."""
    ended = (NoticeStatus.SENT, NoticeStatus.FAILED, NoticeStatus.REVOKED)
    return _lock_about(kind, subject_type, subject_ids, ended)


def _lock_about(
    kind: str, subject_type: str, subject_ids: Sequence[int], statuses: Sequence[NoticeStatus]
) -> list[Any]:
    about = select(Notice.id, Notice.status).where(
        Notice.kind == kind,
        Notice.subject_type == subject_type,
        Notice.subject_id.in_(subject_ids),
        Notice.status.in_([status.value for status in statuses]),
    )
    return list(db.session.execute(locked(about.order_by(Notice.id))))
