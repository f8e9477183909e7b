from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, select

from opsapp.kernel.db import db
from opsapp.ledger.models import LedgerTransfer


def sum_about(
    subject_type: str, subject_ids: Collection[int], kinds: Sequence[str]
) -> dict[tuple[str, int], int]:
    """What was posted about these subjects, by kind and subject, in minor units."""
    if not subject_ids:
        return {}
    posted: Any = (
        select(
            LedgerTransfer.kind,
            LedgerTransfer.subject_id,
            func.sum(LedgerTransfer.amount_minor).label("minor"),
        )
        .where(
            LedgerTransfer.kind.in_(kinds),
            LedgerTransfer.subject_type == subject_type,
            LedgerTransfer.subject_id.in_(subject_ids),
        )
        .group_by(LedgerTransfer.kind, LedgerTransfer.subject_id)
    )
    return {(row.kind, row.subject_id): int(row.minor) for row in db.session.execute(posted)}
