"""Reads of notices, of their deliveries and of edited texts."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, func, select, tuple_

from opsapp.customers.models import Customer
from opsapp.kernel.db import as_array, db, execute_plain, is_among, locked
from opsapp.kernel.turns import is_claimable
from opsapp.notifications.models import Notice, NoticeDelivery, NoticeTemplate, WaitingReport
from opsapp.notifications.states import ENDED, OPEN, NoticeStatus

REPORTS_MAX = 10_000

# What decides by which channel a notice goes, and what else its turn needs.
_ADDRESSED = (
    Notice.id,
    Notice.kind,
    Notice.place,
    Notice.customer_id,
    Customer.email,
    Customer.phone,
)
_WORDED = (
    Notice.ref,
    Notice.channel,
    Notice.values,
    Notice.status,
    Notice.is_called_back,
    Notice.subject_type,
    Notice.subject_id,
    Notice.fence,
    Notice.turns,
    Notice.due_at,
    Customer.name,
    Customer.locale,
    func.clock_timestamp().label("now"),
)


def get_notice(notice_id: int) -> Notice | None:
    return db.session.get(Notice, notice_id)


def list_about(subject_type: str, subject_ids: Sequence[int]) -> list[Notice]:
    """Newest first."""
    about = select(Notice).where(
        Notice.subject_type == subject_type, Notice.subject_id.in_(subject_ids)
    )
    return list(db.session.scalars(about.order_by(Notice.id.desc())))


def count_open_about(kinds: Collection[str], subject_type: str, subject_ids: Sequence[int]) -> int:
    """Notices that may still go out."""
    may_go = _about(select(func.count()), kinds, subject_type, subject_ids).where(
        Notice.status.in_([status.value for status in OPEN]), Notice.is_called_back.is_(False)
    )
    count: int = db.session.scalars(may_go).one()
    return count


def list_sendable(notice_ids: Sequence[int]) -> list[Any]:
    """What decides through which channel each would go now."""
    return list(execute_plain(_sendable(_ADDRESSED), {"ids": as_array(notice_ids)}))


def lock_sendable(notice_ids: Sequence[int]) -> list[Any]:
    """Notices that nobody holds, with whom they go to.

    Rows that another worker is just claiming are passed over.
    """
    return list(execute_plain(_lock_sendable(), {"ids": as_array(notice_ids)}))


def lock_called_back(notice_ids: Sequence[int]) -> frozenset[int]:
    """Lock them all, in the order of ids; returns those that were called back meanwhile."""
    rows = db.session.execute(
        locked(
            select(Notice.id, Notice.is_called_back)
            .where(Notice.id.in_(notice_ids))
            .order_by(Notice.id)
        )
    )
    return frozenset(row.id for row in rows if row.is_called_back)


def lock_about(
    kinds: Collection[str],
    subject_type: str,
    subject_ids: Sequence[int],
    statuses: Sequence[NoticeStatus],
) -> list[Any]:
    """Id and status of those in one of the states."""
    about = _about(select(Notice.id, Notice.status), kinds, subject_type, subject_ids)
    wanted = about.where(Notice.status.in_([status.value for status in statuses]))
    return list(db.session.execute(locked(wanted.order_by(Notice.id))))


def lock_ended(notice_id: int) -> Any | None:
    """The notice, unless it is still on its way."""
    ended = select(Notice.id, Notice.status, Notice.is_called_back).where(
        Notice.id == notice_id, Notice.status.in_([status.value for status in ENDED])
    )
    return db.session.execute(locked(ended)).one_or_none()


def list_reported() -> list[Any]:
    """Reports whose delivery is known, in the order in which they came."""
    found = (
        select(
            WaitingReport.id,
            WaitingReport.status.label("reported"),
            WaitingReport.code,
            WaitingReport.at,
            NoticeDelivery.id.label("delivery_id"),
            NoticeDelivery.notice_id,
            NoticeDelivery.place,
        )
        .join(
            NoticeDelivery,
            and_(
                NoticeDelivery.channel == WaitingReport.channel,
                NoticeDelivery.provider_ref == WaitingReport.provider_ref,
            ),
        )
        .order_by(WaitingReport.id)
        .limit(REPORTS_MAX)
    )
    return list(db.session.execute(found))


def lock_delivered(notice_ids: Sequence[int]) -> dict[int, Any]:
    """Notices that reports are about; those that somebody holds now are passed over."""
    rows = db.session.execute(
        locked(
            select(Notice.id, Notice.status, Notice.kind, Notice.place, Notice.is_called_back)
            .where(Notice.id.in_(notice_ids))
            .order_by(Notice.id),
            skip=True,
        )
    )
    return {row.id: row for row in rows}


def list_deliveries(notice_ids: Sequence[int]) -> list[NoticeDelivery]:
    """Oldest first."""
    of_notices = select(NoticeDelivery).where(NoticeDelivery.notice_id.in_(notice_ids))
    ordered = of_notices.order_by(NoticeDelivery.notice_id, NoticeDelivery.id)
    how = {"populate_existing": True}
    return list(db.session.scalars(ordered, execution_options=how))


def list_active_texts(
    wanted: Collection[tuple[str, str]],
) -> dict[tuple[str, str], NoticeTemplate]:
    """Edited texts in use, by kind and medium."""
    if not wanted:
        return {}
    active = select(NoticeTemplate).where(
        NoticeTemplate.is_active,
        tuple_(NoticeTemplate.kind, NoticeTemplate.medium).in_(sorted(wanted)),
    )
    return {(row.kind, row.medium): row for row in db.session.scalars(active)}


def list_all_active_texts() -> dict[tuple[str, str], NoticeTemplate]:
    active = select(NoticeTemplate).where(NoticeTemplate.is_active)
    return {(row.kind, row.medium): row for row in db.session.scalars(active)}


def list_versions(kind: str, medium: str) -> list[NoticeTemplate]:
    """Newest first."""
    versions = select(NoticeTemplate).where(
        NoticeTemplate.kind == kind, NoticeTemplate.medium == medium
    )
    return list(db.session.scalars(versions.order_by(NoticeTemplate.version.desc())))


def lock_versions(kind: str, medium: str) -> list[NoticeTemplate]:
    """Newest first. The unique version settles who is first where there is none yet."""
    versions = select(NoticeTemplate).where(
        NoticeTemplate.kind == kind, NoticeTemplate.medium == medium
    )
    return list(db.session.scalars(locked(versions.order_by(NoticeTemplate.version.desc()))))


@cache
def _lock_sendable() -> Select[*tuple[Any, ...]]:
    return locked(_sendable((*_ADDRESSED, *_WORDED)), of=Notice, skip=True)


@cache
def _sendable(columns: tuple[Any, ...]) -> Select[*tuple[Any, ...]]:
    return (
        select(*columns)
        .join(Customer, Customer.id == Notice.customer_id)
        .where(
            is_among(Notice.id, "ids"),
            Notice.status.in_([status.value for status in OPEN]),
            is_claimable(Notice),
        )
        .order_by(Notice.id)
    )


def _about(
    statement: Select[*tuple[Any, ...]],
    kinds: Collection[str],
    subject_type: str,
    subject_ids: Sequence[int],
) -> Select[*tuple[Any, ...]]:
    return statement.where(
        Notice.kind.in_(sorted(kinds)),
        Notice.subject_type == subject_type,
        Notice.subject_id.in_(subject_ids),
    )
