"""Ordering: what staff confirmed becomes a job with one row for each subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from opsapp.approvals import queries as approvals, rules as money_rules
from opsapp.approvals.queries import PolicyInForce
from opsapp.approvals.requesting import NewApproval, request_approval
from opsapp.bulk import queries, rules
from opsapp.bulk.acting import ACTS
from opsapp.bulk.beginning import SUBJECT
from opsapp.bulk.errors import FilterMoved, NothingFits, SumMoved, TooMany
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.bulk.states import BULK, ROW, BulkStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.kernel.money import Money
from opsapp.payments import finding_refunds


@dataclass(frozen=True, slots=True)
class BulkWish:
    """`seen_total` is the number that was confirmed, `filter_text` where the list stood.

    `is_by_hand`: the money policy's time to undo counts, and its question for a second person.
    `seen_sums` is what was confirmed to go back, minor units by currency. Raises Invalid.
    """

    request_id: str
    act: str
    because: str
    filter_text: str
    seen_total: int
    is_by_hand: bool = False
    seen_sums: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        if self.act not in ACTS:
            raise Invalid(field="act", reason=f"is not one of {', '.join(ACTS)}.")
        rules.check_request_id(self.request_id)
        object.__setattr__(self, "because", rules.check_because(self.because))


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What ordering it now would lead to: a dry run of `order`."""

    sums: Mapping[str, int]
    why_second_person: str
    undo_minutes: int


def plan(
    act: str, amounts: Mapping[int, Money], total: int, *, by: Actor, policy: PolicyInForce
) -> BulkPlan:
    """Reads only. What the same person ordered back alone before counts for the limits."""
    gives = amounts if ACTS[act].moves_money_back else {}
    before = finding_refunds.sum_given_alone(list(gives), by=by) if gives else {}
    today = clock.seoul_midnight(clock.seoul_date(clock.now()))
    why = money_rules.why_not_alone_in_bulk(
        policy.terms,
        approvals.find_role(by),
        total,
        [amount + Money(before.get(each, 0), amount.currency) for each, amount in gives.items()],
        ordered_today=queries.sum_ordered_alone(by, since=today) if gives else 0,
    )
    return BulkPlan(money_rules.sums_of(gives.values()), why, policy.terms.bulk_undo_minutes)


@within_transaction
def order(
    wish: BulkWish,
    subject_ids: Sequence[int],
    *,
    by: Actor,
    amounts: Mapping[int, Money] | None = None,
) -> int:
    """`subject_ids` is what the filter fits now, `amounts` what the act would give back of each.

    Returns the job's id; a form sent twice is one. Raises NothingFits, TooMany, FilterMoved.
    """
    known = queries.find_by_request(wish.request_id)
    if known is not None:
        return known
    if wish.is_by_hand:
        queries.lock_orders_of(by)
    found, gives = len(subject_ids), amounts or {}
    policy = approvals.get_policy()
    planned = plan(wish.act, gives, found, by=by, policy=policy)
    _require_seen(wish, found, planned)
    made = bulk_insert(
        BulkJob, [_row(wish, found, planned, by=by)], returning=("id",), or_nothing=True
    )
    if not made:  # the second click of a double one waited for the first
        return queries.get_by_request(wish.request_id)
    [written] = made
    bulk_insert(BulkRow, [_subject(written.id, each, gives) for each in subject_ids])
    needs_second = wish.is_by_hand and bool(planned.why_second_person)
    state = BulkStatus.AWAITING_APPROVAL if needs_second else BULK.start
    entry = Entry(
        "bulk_job.ordered",
        "bulk_job",
        written.id,
        because=wish.because,
        to_state=state.value,
        detail={"act": wish.act, "total": found, "sums": dict(planned.sums)},
    )
    record(entry, by=by)
    if needs_second:
        _ask_second_person(written.id, wish, found, planned, policy, by=by)
    return int(written.id)


def _require_seen(wish: BulkWish, found: int, planned: BulkPlan) -> None:
    if not found:
        raise NothingFits
    if found > rules.ROWS_MAX:
        raise TooMany(found=found, most=rules.ROWS_MAX)
    if found != wish.seen_total:
        raise FilterMoved(seen=wish.seen_total, found=found)
    if wish.seen_sums is not None and dict(wish.seen_sums) != dict(planned.sums):
        raise SumMoved


def _row(wish: BulkWish, total: int, planned: BulkPlan, *, by: Actor) -> dict[str, Any]:
    """Nobody may claim it before the time to undo it is over."""
    now, status = clock.now(), BULK.start
    if wish.is_by_hand and planned.why_second_person:
        status = BulkStatus.AWAITING_APPROVAL
    is_held = wish.is_by_hand and status is BULK.start
    return {
        "ref": new_ref("bulk"),
        "request_id": wish.request_id,
        "subject_type": ACTS[wish.act].subject_type,
        "act": wish.act,
        "because": wish.because,
        "filter_text": wish.filter_text,
        "total": total,
        "sums": dict(planned.sums),
        "status": status.value,
        "requested_by": str(by),
        "due_at": now + timedelta(minutes=planned.undo_minutes) if is_held else now,
    }


def _subject(job_id: int, subject_id: int, gives: Mapping[int, Money]) -> dict[str, Any]:
    amount = gives.get(subject_id)
    return {
        "job_id": job_id,
        "subject_id": subject_id,
        "amount_minor": None if amount is None else amount.minor,
        "status": ROW.start.value,
    }


def _ask_second_person(
    job_id: int, wish: BulkWish, total: int, planned: BulkPlan, policy: PolicyInForce, *, by: Actor
) -> None:
    asked = NewApproval(
        subject_type=SUBJECT,
        subject_id=job_id,
        act=wish.act,
        rows=total,
        sums=planned.sums,
        why=planned.why_second_person,
        because=wish.because,
    )
    request_approval(asked, policy.terms, by=by)
