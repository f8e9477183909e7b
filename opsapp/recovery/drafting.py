"""Drafting: a new version of the policy is written down; nothing changes until it is turned on."""

from dataclasses import dataclass

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record
from opsapp.recovery import checking, queries
from opsapp.recovery.errors import PolicyIsNotDraft
from opsapp.recovery.models import RecoveryPolicy
from opsapp.recovery.rules import COHORTS, Policy
from opsapp.recovery.states import POLICY, PolicyStatus
from opsapp.staff import queries as staff
from opsapp.staff.states import AccountStatus

NAME_LENGTH_MAX = 60
SHARES = range(1, 91)
REASON_LENGTH = range(5, 301)


@dataclass(frozen=True, slots=True)
class Draft:
    """`share`: percent of the subscriptions that cohort B takes; A takes the others."""

    name: str
    cohort: str
    share: int
    policy: Policy
    because: str


@within_transaction
def save_draft(draft: Draft, *, by: Actor) -> int:
    """Returns its id. Raises Invalid with the field that contradicts another."""
    because = check_reason(draft.because)
    name = " ".join(draft.name.split())
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise Invalid(field="name", reason="Give it a name of 1 to 60 characters.")
    if draft.cohort not in COHORTS:
        raise Invalid(field="cohort", reason="Choose cohort A or B.")
    if draft.cohort != COHORTS[0] and draft.share not in SHARES:
        raise Invalid(field="share", reason="Cohort B takes 1 to 90 % of the subscriptions.")
    _check_assignee(draft.policy.assignee_id)
    checking.check(draft.policy)
    queries.lock_versions()  # one version is numbered at a time
    row = RecoveryPolicy(
        version=queries.find_last_version() + 1,
        name=name,
        cohort=draft.cohort,
        share=100 if draft.cohort == COHORTS[0] else draft.share,
        status=POLICY.start.value,
        terms=checking.as_json(draft.policy),
        because=because,
        made_by=str(by),
    )
    db.session.add(row)
    db.session.flush()
    record(
        Entry(
            "recovery_policy.drafted",
            "recovery_policy",
            row.id,
            because=because,
            to_state=row.status,
            detail={"version": row.version, "cohort": row.cohort, "share": row.share},
        ),
        by=by,
    )
    return row.id


@within_transaction
def discard(policy_id: int, *, by: Actor) -> None:
    """Nobody wants the draft. Raises NotFound, PolicyIsNotDraft."""
    row = queries.get_version(policy_id)
    queries.lock_versions(policy_id)
    if row.status != PolicyStatus.DRAFT:
        raise PolicyIsNotDraft(version=row.version, status=row.status)
    POLICY.move(row, PolicyStatus.RETIRED, because="discarded", by=by)


def _check_assignee(account_id: int | None) -> None:
    """Raises Invalid: a ticket that nobody holds is seen by nobody."""
    known = () if account_id is None else staff.list_accounts()
    is_active = any(row.id == account_id and row.status == AccountStatus.ACTIVE for row in known)
    if account_id is not None and not is_active:
        raise Invalid(field="assignee_id", reason="Choose somebody of the list.")


def check_reason(because: str) -> str:
    """Raises Invalid."""
    reason = " ".join(because.split())
    if len(reason) not in REASON_LENGTH:
        raise Invalid(field="because", reason="Give a reason of 5 to 300 characters.")
    return reason
