"""Reporting: what providers tell of messages they took, whenever and in whichever order.

A report is stored first and applied when its delivery is known: it can be faster than the record
of the answer it belongs to. Unknown ones change nothing and are dropped after a while.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func

from opsapp.channels.base import DeliveryReport
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.states import RowMove
from opsapp.notifications import addressing, queries, rules
from opsapp.notifications.models import Notice, NoticeDelivery, WaitingReport
from opsapp.notifications.states import DELIVERY, NOTICE, DeliveryStatus, NoticeStatus

KEPT = timedelta(days=3)  # vendors give up on a telephone after one to three days


@within_transaction
def receive_reports(channel: str, reports: Sequence[DeliveryReport], *, by: Actor) -> None:
    """Store them and apply what is known. The same report may come several times."""
    too_old = WaitingReport.received_at < func.clock_timestamp() - KEPT
    db.session.execute(delete(WaitingReport).where(too_old))
    bulk_insert(
        WaitingReport,
        [
            {
                "channel": channel,
                "provider_ref": report.provider_ref,
                "status": report.status.value,
                "code": report.code,
                "at": report.at,
            }
            for report in reports
        ],
        or_nothing=True,
    )
    apply_reports(by=by)


@within_transaction
def apply_reports(*, by: Actor) -> None:
    """Move the deliveries; what was not delivered goes to the next channel.

    Reports about notices that a worker holds this moment wait for the next call.
    """
    reports = queries.list_reported()
    notices = queries.lock_delivered(sorted({row.notice_id for row in reports}))
    reports = [row for row in reports if row.notice_id in notices]
    if not reports:
        return
    deliveries = {row.id: row for row in queries.list_deliveries(sorted(notices))}
    last = {row.notice_id: row.id for row in deliveries.values()}
    told = {row.delivery_id: row for row in sorted(reports, key=_rank)}
    moves = [
        _move(deliveries[row.delivery_id], row)
        for row in told.values()
        if DELIVERY.allows(deliveries[row.delivery_id].status, DeliveryStatus(row.reported))
    ]
    moved = DELIVERY.move_many(NoticeDelivery, moves, by=by)
    news = [
        (notices[row.notice_id], row)
        for row in told.values()
        if row.delivery_id in moved and last[row.notice_id] == row.delivery_id
    ]
    _follow(news, by=by)
    ids = [row.id for row in reports]
    db.session.execute(delete(WaitingReport).where(WaitingReport.id.in_(ids)))


def _rank(report: Any) -> tuple[bool, int]:
    """What arrived has arrived, whatever else is told and in whichever order."""
    return (report.reported == DeliveryStatus.DELIVERED, report.id)


def _move(delivery: NoticeDelivery, report: Any) -> RowMove:
    return RowMove(
        delivery.id,
        delivery.status,
        DeliveryStatus(report.reported),
        report.code,
        also={"code": report.code, "reported_at": report.at},
    )


def _follow(news: Sequence[tuple[Any, Any]], *, by: Actor) -> None:
    """What becomes of the notices: only the report about the last try of each counts."""
    failed = [
        (notice, report)
        for notice, report in news
        if report.reported == DeliveryStatus.FAILED and notice.status == NoticeStatus.SENT
    ]
    # Only what was queued for another channel: somebody may have asked for it again meanwhile.
    arrived = [
        (notice, report)
        for notice, report in news
        if report.reported == DeliveryStatus.DELIVERED
        and notice.status == NoticeStatus.QUEUED
        and notice.place > report.place
    ]
    connected = addressing.list_connected()
    after = [(n, r, rules.find_place(n.kind, n.place + 1, connected)) for n, r in failed]
    again = [(n, r, place) for n, r, place in after if place is not None and not n.is_called_back]
    over = [(n, r) for n, r, place in after if place is None or n.is_called_back]
    now = clock.now()
    moves = [
        RowMove(
            notice.id,
            notice.status,
            NoticeStatus.QUEUED,
            f"not delivered ({report.code})",
            also={
                "place": place,
                "turns": 0,
                "due_at": now,
                "hinted_at": None,
                "error": report.code,
            },
        )
        for notice, report, place in again
    ]
    NOTICE.move_many(Notice, moves, by=by)
    _end(over, NoticeStatus.FAILED, "not delivered", by=by)
    _end(arrived, NoticeStatus.SENT, "delivered after all", by=by)


def _end(news: Sequence[tuple[Any, Any]], status: NoticeStatus, because: str, *, by: Actor) -> None:
    is_sent = status is NoticeStatus.SENT
    moves = [
        RowMove(
            notice.id,
            notice.status,
            status,
            f"{because} ({report.code})",
            also={"error": None if is_sent else report.code},
        )
        for notice, report in news
    ]
    NOTICE.move_many(Notice, moves, by=by)
