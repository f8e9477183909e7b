"""Ordering: what staff confirmed becomes a job with one row for each subject."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.bulk import queries, rules
from opsapp.bulk.acting import ACTS
from opsapp.bulk.errors import FilterMoved, NothingFits, TooMany
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.bulk.states import BULK, ROW
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record


@dataclass(frozen=True, slots=True)
class BulkWish:
    """`seen_total` is the number that was confirmed, `filter_text` where the list stood.

    Raises Invalid.
    """

    request_id: str
    act: str
    because: str
    filter_text: str
    seen_total: int

    def __post_init__(self) -> None:
        if self.act not in ACTS:
            raise Invalid(field="act", reason=f"is not one of {', '.join(ACTS)}.")
        rules.check_request_id(self.request_id)
        object.__setattr__(self, "because", rules.check_because(self.because))


@within_transaction
def order(wish: BulkWish, subject_ids: Sequence[int], *, by: Actor) -> int:
    """`subject_ids` is what the filter fits now. Returns the job's id; a form sent twice is one.

    Raises NothingFits, TooMany, FilterMoved.
    """
    known = queries.find_by_request(wish.request_id)
    if known is not None:
        return known
    found = len(subject_ids)
    if not found:
        raise NothingFits
    if found > rules.ROWS_MAX:
        raise TooMany(found=found, most=rules.ROWS_MAX)
    if found != wish.seen_total:
        raise FilterMoved(seen=wish.seen_total, found=found)
    row = {
        "ref": new_ref("bulk"),
        "request_id": wish.request_id,
        "act": wish.act,
        "because": wish.because,
        "filter_text": wish.filter_text,
        "total": found,
        "status": BULK.start.value,
        "requested_by": str(by),
    }
    made = bulk_insert(BulkJob, [row], returning=("id",), or_nothing=True)
    if not made:  # the second click of a double one waited for the first
        return queries.get_by_request(wish.request_id)
    [written] = made
    bulk_insert(
        BulkRow,
        [
            {"job_id": written.id, "subject_id": subject_id, "status": ROW.start.value}
            for subject_id in subject_ids
        ],
    )
    entry = Entry(
        "bulk_job.ordered",
        "bulk_job",
        written.id,
        because=wish.because,
        to_state=BULK.start.value,
        detail={"act": wish.act, "total": found},
    )
    record(entry, by=by)
    return int(written.id)
