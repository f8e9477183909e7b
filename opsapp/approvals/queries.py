"""Reads of what waits for a second person, and of the policy in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from opsapp.approvals import rules
from opsapp.approvals.models import Approval, MoneyPolicy
from opsapp.approvals.rules import Terms
from opsapp.approvals.states import ApprovalStatus
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.staff.models import StaffAccount
from opsapp.staff.rules import Permission, allows
from opsapp.staff.states import AccountStatus

PAGE_SIZE = 30
VIEWS = ("waiting", "mine", "decided")
_COUNTED_MAX = 1000


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """Version 0 is the one that the product is shipped with."""

    version: int
    terms: Terms


def get_policy() -> PolicyInForce:
    latest = select(MoneyPolicy).order_by(MoneyPolicy.version.desc()).limit(1)
    row = db.session.scalars(latest).first()
    return PolicyInForce(0, rules.SHIPPED) if row is None else read_version(row)


def list_policies() -> list[MoneyPolicy]:
    """The newest first; the one that was shipped is not among them."""
    return list(db.session.scalars(select(MoneyPolicy).order_by(MoneyPolicy.version.desc())))


def read_version(row: MoneyPolicy) -> PolicyInForce:
    return PolicyInForce(row.version, rules.read(row.terms))


def lock_policies() -> None:
    """One version is numbered at a time, the first one too."""
    number = func.hashtextextended(MoneyPolicy.__tablename__, 0)
    db.session.execute(select(func.pg_advisory_xact_lock(number)))


def find_role(actor: Actor) -> str | None:
    """None for an actor who is no member of staff, or is not one any more."""
    if actor.kind != "staff" or not actor.name.isdigit():
        return None
    role = select(StaffAccount.role).where(
        StaffAccount.id == int(actor.name), StaffAccount.status == AccountStatus.ACTIVE.value
    )
    return db.session.scalar(role)


def may_decide(actor: Actor) -> bool:
    role = find_role(actor)
    return role is not None and allows(role, Permission.APPROVE_REFUNDS)


def get_approval(approval_id: int) -> Approval:
    """Raises NotFound."""
    found = db.session.get(Approval, approval_id)
    if found is None:
        raise NotFound(noun="request", id=approval_id)
    return found


def find_open(subject_type: str, subject_id: int) -> Approval | None:
    wanted = _of(subject_type, [subject_id]).where(_is_waiting())
    return db.session.scalars(wanted).one_or_none()


def find_latest(subject_type: str, subject_id: int) -> Approval | None:
    newest = _of(subject_type, [subject_id]).order_by(Approval.id.desc()).limit(1)
    return db.session.scalars(newest).first()


def list_approvals(
    view: str, *, me: str, cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[Any]:
    """`waiting`: all that wait, whoever may decide them. Newest first. Raises BadCursor."""
    rows = select(*Approval.__table__.c)
    if view == "waiting":
        rows = rows.where(_is_waiting())
    elif view == "mine":
        rows = rows.where(Approval.requested_by == me)
    else:
        rows = rows.where(Approval.status != ApprovalStatus.REQUESTED.value)
    return page_of(rows, keys=(Approval.id,), cursor=cursor, size=size)


def count_waiting_for(actor: Actor) -> int:
    """What this person may decide now, up to a thousand; 0 for somebody who may not."""
    if not may_decide(actor):
        return 0
    waiting = select(Approval.id).where(_is_waiting(), Approval.requested_by != str(actor))
    counted = select(func.count()).select_from(waiting.limit(_COUNTED_MAX).subquery())
    return db.session.scalars(counted).one()


def lock_approval(approval_id: int) -> Approval:
    """Before whatever it is about (house order). Raises NotFound."""
    wanted = select(Approval).where(Approval.id == approval_id)
    found = db.session.scalars(locked(wanted)).one_or_none()
    if found is None:
        raise NotFound(noun="request", id=approval_id)
    return found


def lock_overdue(now: datetime, *, limit: int) -> list[Any]:
    """Those whose time is over, by ascending id."""
    overdue = (
        select(
            Approval.id, Approval.subject_type, Approval.subject_id, Approval.status,
            Approval.requested_by,
        )
        .where(_is_waiting(), Approval.expires_at <= now)
        .order_by(Approval.id)
        .limit(limit)
    )  # fmt: skip
    return list(db.session.execute(locked(overdue, skip=True)))


def _of(subject_type: str, subject_ids: Sequence[int]) -> Any:
    return select(Approval).where(
        Approval.subject_type == subject_type, Approval.subject_id.in_(subject_ids)
    )


def _is_waiting() -> ColumnElement[bool]:
    return Approval.status == ApprovalStatus.REQUESTED.value
