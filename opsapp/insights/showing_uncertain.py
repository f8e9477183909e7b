"""The desk of uncertain outcomes: what nobody knows yet, how long, and who looks when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    FromClause,
    Select,
    Subquery,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from opsapp.customers.models import Customer
from opsapp.insights import reading_wishes as reading
from opsapp.insights.reading_wishes import Query
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.payments import rules
from opsapp.payments.models import Attempt, Decision, Payment, Refund

UNKNOWN, NEEDS_HUMAN = "unknown", "needs_human"
TABS: dict[str, tuple[str, ...]] = {
    "all": (UNKNOWN, NEEDS_HUMAN),
    "person": (NEEDS_HUMAN,),
    "machine": (UNKNOWN,),
}
KINDS = ("attempt", "refund")
PAGE_SIZE = 30
TURNS_SHOWN_MAX = 60


@dataclass(frozen=True, slots=True)
class DeskWish:
    tab: str = "all"
    gateway: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class DeskPicture:
    """Our record of one of them, without what the gateway would say now."""

    row: Any
    turns: list[AuditEntry]
    decisions: list[Decision]
    looks: list[datetime]

    @property
    def needs_person(self) -> bool:
        return bool(self.row.status == NEEDS_HUMAN)


def read_wish(query: Query) -> DeskWish:
    """Raises Invalid."""
    return DeskWish(
        tab=reading.choice(query, "tab", TABS, "all"),
        gateway=reading.choice(query, "gateway", reading.GATEWAYS),
        kind=reading.choice(query, "kind", KINDS),
    )


def list_desk(wish: DeskWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first, as every list; each row is an attempt or a refund. Raises BadCursor."""
    desk = union_all(*_parts("")).subquery()
    statement = select(*desk.c).where(desk.c.status.in_(TABS[wish.tab]))
    if wish.gateway:
        statement = statement.where(desk.c.gateway_name == wish.gateway)
    if wish.kind:
        statement = statement.where(desk.c.kind == wish.kind)
    keys = (desk.c.since, desk.c.place)
    return page_of(statement, keys=keys, cursor=cursor, size=size, dressed=_with_payment)


def count_desk() -> list[Any]:
    """By gateway and status: how many, and since when the oldest."""
    uncertain = (UNKNOWN, NEEDS_HUMAN)
    desk = union_all(
        select(Attempt.gateway_name, Attempt.status, Attempt.created_at.label("since")).where(
            Attempt.status.in_(uncertain)
        ),
        select(Refund.gateway_name, Refund.status, Refund.requested_at).where(
            Refund.status.in_(uncertain)
        ),
    ).subquery()
    return list(
        db.session.execute(
            select(
                desk.c.gateway_name,
                desk.c.status,
                func.count().label("count"),
                func.min(desk.c.since).label("oldest_at"),
            )
            .group_by(desk.c.gateway_name, desk.c.status)
            .order_by(desk.c.gateway_name, desk.c.status)
        )
    )


def oldest_uncertain_s() -> float:
    """Business seconds since the oldest unknown outcome was asked for; 0 without any."""
    desk = union_all(*_parts("")).subquery()
    age = func.extract("epoch", func.ops_now() - func.min(desk.c.since))
    return max(float(db.session.scalar(select(age)) or 0), 0)


def get_subject(kind: str, subject_id: int) -> DeskPicture:
    """Also of what has been settled meanwhile. Raises NotFound."""
    mine = _parts(kind)[0].subquery()
    row = db.session.execute(
        select(
            *mine.c,
            *_amount(mine),
            Payment.ref.label("payment_ref"),
            Payment.title,
            Payment.status.label("payment_status"),
            Payment.method_kind,
            Customer.id.label("customer_id"),
            Customer.name.label("customer_name"),
        )
        .join(Payment, Payment.id == mine.c.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(mine.c.id == subject_id)
    ).one_or_none()
    if row is None:
        raise NotFound(noun=kind, id=subject_id)
    turns = (
        select(AuditEntry)
        .where(AuditEntry.subject_type == kind, AuditEntry.subject_id == subject_id)
        .order_by(AuditEntry.id.desc())
        .limit(TURNS_SHOWN_MAX)
    )
    decisions = (
        select(Decision)
        .where(Decision.subject_type == kind, Decision.subject_id == subject_id)
        .order_by(Decision.id.desc())
    )
    return DeskPicture(
        row,
        list(db.session.scalars(turns)),
        list(db.session.scalars(decisions)),
        upcoming_looks(row.status, row.turns, row.due_at),
    )


def upcoming_looks(status: str, turns: int, due_at: datetime) -> list[datetime]:
    """When the machine looks again, until it hands over to a person."""
    if status != UNKNOWN:
        return []
    looks, moment = [], due_at
    for turn in range(turns, rules.TURNS_MAX):
        looks.append(moment)
        moment += rules.look_after(turn + 1)
    return looks


def _with_payment(page: Subquery) -> Select[*tuple[Any, ...]]:
    last_said = (
        select(AuditEntry.because)
        .where(AuditEntry.subject_type == page.c.kind, AuditEntry.subject_id == page.c.id)
        .order_by(AuditEntry.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            *page.c,
            *_amount(page),
            Payment.ref.label("payment_ref"),
            Payment.title,
            Payment.method_kind,
            Customer.id.label("customer_id"),
            Customer.name.label("customer_name"),
            last_said.label("last_said"),
        )
        .join(Payment, Payment.id == page.c.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
    )


def _amount(rows: FromClause) -> tuple[Any, ...]:
    """Of a refund its own, of an attempt the payment's: joined to the few rows that are shown."""
    minor = func.coalesce(rows.c.part_minor, Payment.amount_minor)
    return minor.label("amount_minor"), Payment.currency


def _parts(kind: str) -> list[Select[*tuple[Any, ...]]]:
    attempts = select(
        literal("attempt").label("kind"),
        Attempt.id.label("id"),
        (Attempt.id * 2).label("place"),  # a key that both kinds share
        Attempt.payment_id,
        Attempt.gateway_name,
        Attempt.status,
        func.coalesce(Attempt.first_sent_at, Attempt.created_at).label("sent_at"),
        Attempt.created_at.label("since"),
        Attempt.due_at,
        Attempt.turns,
        Attempt.failure_code,
        Attempt.gateway_order_id,
        Attempt.gateway_key,
        cast(null(), BigInteger).label("part_minor"),
    )
    refunds = select(
        literal("refund").label("kind"),
        Refund.id.label("id"),
        (Refund.id * 2 + 1).label("place"),
        Refund.payment_id,
        Refund.gateway_name,
        Refund.status,
        func.coalesce(Refund.first_sent_at, Refund.requested_at).label("sent_at"),
        Refund.requested_at.label("since"),
        Refund.due_at,
        Refund.turns,
        Refund.failure_code,
        Attempt.gateway_order_id,
        Attempt.gateway_key,
        Refund.amount_minor.label("part_minor"),
    ).join(Attempt, Attempt.id == Refund.attempt_id)
    if kind:
        return [{"attempt": attempts, "refund": refunds}[kind]]
    uncertain = (UNKNOWN, NEEDS_HUMAN)
    return [
        attempts.where(Attempt.status.in_(uncertain)),
        refunds.where(Refund.status.in_(uncertain)),
    ]
