"""Deciding: a second person agrees or sends it back; an emergency is decided alone, and loudly."""

from opsapp.approvals import queries, rules
from opsapp.approvals.errors import (
    ApprovalDecided,
    ApprovalTooOld,
    NotAnApprover,
    NotYourApproval,
    OwnApproval,
)
from opsapp.approvals.events import (
    ApprovalBypassed,
    ApprovalFact,
    ApprovalsEnded,
    ApprovalsGranted,
)
from opsapp.approvals.models import Approval
from opsapp.approvals.states import APPROVAL, ApprovalStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.log import Entry, record
from opsapp.staff.rules import Permission, allows


@within_transaction
def approve(approval_id: int, *, comment: str = "", by: Actor) -> None:
    """What waited goes on in this transaction, or all of it is refused.

    Raises NotFound, ApprovalDecided, OwnApproval, NotAnApprover, ApprovalTooOld, Invalid, and
    what going on raises: the decision is not written then.
    """
    row = _lock_open(approval_id)
    _require_second_person(row, by=by)
    said = rules.check_comment(comment, is_needed=False)
    _decide(row, ApprovalStatus.APPROVED, said, because=said or "approved", by=by)
    announce(ApprovalsGranted((ApprovalFact.of(row, because=said or "approved", by=by),)))


@within_transaction
def send_back(approval_id: int, *, comment: str, by: Actor) -> None:
    """With a comment for whoever asked. Raises as approve does."""
    row = _lock_open(approval_id)
    _require_second_person(row, by=by)
    said = rules.check_comment(comment, is_needed=True)
    _decide(row, ApprovalStatus.RETURNED, said, because=said, by=by)
    announce(ApprovalsEnded((ApprovalFact.of(row, because=f"sent back: {said}", by=by),)))


@within_transaction
def bypass(approval_id: int, *, reason: str, by: Actor) -> None:
    """An emergency: decided alone, by the requester too. An alarm and the log tell everybody.

    Raises NotFound, ApprovalDecided, NotAnApprover, ApprovalTooOld, Invalid.
    """
    row = _lock_open(approval_id)
    role = queries.find_role(by)
    if role is None or not allows(role, Permission.BYPASS_APPROVALS):
        raise NotAnApprover
    _require_in_time(row)
    said = rules.check_emergency(reason)
    row.is_bypass = True
    _decide(row, ApprovalStatus.APPROVED, said, because=f"EMERGENCY, decided alone: {said}", by=by)
    entry = Entry(
        "approval.bypassed",
        "approval",
        row.id,
        because=said,
        detail={
            "subject_type": row.subject_type,
            "subject_id": row.subject_id,
            "requested_by": row.requested_by,
        },
    )
    record(entry, by=by)
    fact = ApprovalFact.of(row, because=f"emergency: {said}", by=by)
    announce(ApprovalsGranted((fact,)))
    announce(ApprovalBypassed(fact, row.requested_by))


@within_transaction
def withdraw(approval_id: int, *, by: Actor) -> None:
    """Whoever asked takes it back. Raises NotFound, ApprovalDecided, NotYourApproval."""
    row = _lock_open(approval_id)
    if row.requested_by != str(by):
        raise NotYourApproval
    _decide(row, ApprovalStatus.WITHDRAWN, "", because="withdrawn", by=by)
    announce(ApprovalsEnded((ApprovalFact.of(row, because="withdrawn by the requester", by=by),)))


def _lock_open(approval_id: int) -> Approval:
    row = queries.lock_approval(approval_id)
    if row.status != ApprovalStatus.REQUESTED:
        raise ApprovalDecided(status=row.status)
    return row


def _require_second_person(row: Approval, *, by: Actor) -> None:
    """The table refuses one person in both roles too."""
    if row.requested_by == str(by):
        raise OwnApproval
    if not queries.may_decide(by):
        raise NotAnApprover
    _require_in_time(row)


def _require_in_time(row: Approval) -> None:
    """The sweep may come later than the end."""
    if row.expires_at <= clock.now():
        raise ApprovalTooOld


def _decide(row: Approval, to: ApprovalStatus, comment: str, *, because: str, by: Actor) -> None:
    at = clock.now()  # before anything is set: a row half decided is refused by the database
    row.decided_by, row.decided_at, row.comment = str(by), at, comment
    APPROVAL.move(row, to, because=because, by=by)
