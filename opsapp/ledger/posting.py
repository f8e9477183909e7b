"""Posting: write down that money changed its place."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.kernel import clock
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.money import Money
from opsapp.ledger.models import LedgerTransfer


@dataclass(frozen=True, slots=True)
class Transfer:
    """`kind` and subject name the fact; the database refuses to write the same fact twice."""

    kind: str
    debit_account: str
    credit_account: str
    amount: Money
    subject_type: str
    subject_id: int
    payment_id: int | None = None


@within_transaction
def post(transfers: Sequence[Transfer]) -> None:
    """Write many transfers in one statement. Raises IntegrityError for a repeated fact."""
    if not transfers:
        return
    at = clock.now()
    bulk_insert(
        LedgerTransfer,
        [
            {
                "kind": transfer.kind,
                "debit_account": transfer.debit_account,
                "credit_account": transfer.credit_account,
                "amount_minor": transfer.amount.minor,
                "currency": transfer.amount.currency,
                "subject_type": transfer.subject_type,
                "subject_id": transfer.subject_id,
                "payment_id": transfer.payment_id,
                "at": at,
            }
            for transfer in transfers
        ],
    )
