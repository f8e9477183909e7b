"""Activating: a version decides about failures from now on; what runs keeps the version it has."""

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.recovery import checking, queries
from opsapp.recovery.drafting import check_reason
from opsapp.recovery.errors import CohortIsNeeded, PolicyIsNotDraft, PolicyWasChanged
from opsapp.recovery.models import RecoveryPolicy
from opsapp.recovery.rules import COHORTS
from opsapp.recovery.states import POLICY, PolicyStatus


@within_transaction
def activate(policy_id: int, *, seen_version: int, because: str, by: Actor) -> None:
    """Turn a draft on in the place of its cohort's version.

    `seen_version` is the version in force that it was compared with; 0 for none. Raises NotFound,
    Invalid, PolicyIsNotDraft, PolicyWasChanged.
    """
    reason = check_reason(because)
    wanted = queries.get_version(policy_id)
    rows = queries.lock_versions(policy_id)
    if wanted.status != PolicyStatus.DRAFT:
        raise PolicyIsNotDraft(version=wanted.version, status=wanted.status)
    checking.check(checking.read_policy(wanted.terms))
    before = _in_force(rows, wanted.cohort)
    if (before.version if before else 0) != seen_version:
        raise PolicyWasChanged(version=before.version if before else 0)
    if before is not None:
        _retire(before, because=f"version {wanted.version} took its place", by=by)
    wanted.activated_by, wanted.activated_at = str(by), clock.now()
    detail = {"version": wanted.version, "cohort": wanted.cohort, "before": seen_version}
    POLICY.move(wanted, PolicyStatus.ACTIVE, because=reason, by=by, detail=detail)
    queries.forget_in_force()


@within_transaction
def end_cohort(policy_id: int, *, because: str, by: Actor) -> None:
    """Its subscriptions go back to cohort A with their next failure.

    Raises NotFound, Invalid, PolicyIsNotDraft, CohortIsNeeded.
    """
    reason = check_reason(because)
    row = queries.get_version(policy_id)
    queries.lock_versions(policy_id)
    if row.cohort == COHORTS[0]:
        raise CohortIsNeeded
    if row.status != PolicyStatus.ACTIVE:
        raise PolicyIsNotDraft(version=row.version, status=row.status)
    _retire(row, because=reason, by=by)
    queries.forget_in_force()


def _in_force(rows: dict[int, RecoveryPolicy], cohort: str) -> RecoveryPolicy | None:
    active = (row for row in rows.values() if row.status == PolicyStatus.ACTIVE)
    return next((row for row in active if row.cohort == cohort), None)


def _retire(row: RecoveryPolicy, *, because: str, by: Actor) -> None:
    row.retired_at = clock.now()
    POLICY.move(row, PolicyStatus.RETIRED, because=because, by=by)
    db.session.flush()  # before the other one: the database allows one per cohort
