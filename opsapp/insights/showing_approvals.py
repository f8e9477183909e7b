"""What requests for a second person are about: one statement for refunds, one for bulk jobs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from opsapp.bulk.models import BulkJob
from opsapp.customers.models import Customer
from opsapp.kernel.db import db
from opsapp.payments.models import Payment, Refund


@dataclass(frozen=True, slots=True)
class Subject:
    """`customer` is not masked yet. Of a bulk job only `ref`, `title` (its act) and `status`."""

    ref: str
    status: str
    title: str
    payment_id: int | None = None
    customer_id: int | None = None
    customer: str = ""
    refundable_minor: int = 0  # of the payment now, without what this one reserves
    captured_minor: int = 0
    currency: str = "KRW"


def list_subjects(approvals: Iterable[Any]) -> dict[tuple[str, int], Subject]:
    """By type and id."""
    rows = list(approvals)
    ids = {
        kind: [row.subject_id for row in rows if row.subject_type == kind]
        for kind in ("refund", "bulk_job")
    }
    found: dict[tuple[str, int], Subject] = {}
    for refund in _list_refunds(ids["refund"]):
        found["refund", refund.id] = Subject(
            refund.ref,
            refund.status,
            refund.title,
            refund.payment_id,
            refund.customer_id,
            refund.name,
            refund.captured_minor - refund.refunded_minor - refund.refund_pending_minor,
            refund.captured_minor,
            refund.currency,
        )
    for job in _list_jobs(ids["bulk_job"]):
        found["bulk_job", job.id] = Subject(job.ref, job.status, job.act)
    return found


def _list_refunds(refund_ids: list[int]) -> list[Any]:
    if not refund_ids:
        return []
    wanted = (
        select(
            Refund.id, Refund.ref, Refund.status, Refund.payment_id, Payment.title,
            Payment.customer_id, Customer.name, Payment.captured_minor, Payment.refunded_minor,
            Payment.refund_pending_minor, Payment.currency,
        )
        .join(Payment, Payment.id == Refund.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(Refund.id.in_(refund_ids))
    )  # fmt: skip
    return list(db.session.execute(wanted))


def _list_jobs(job_ids: list[int]) -> list[Any]:
    if not job_ids:
        return []
    wanted = select(BulkJob.id, BulkJob.ref, BulkJob.status, BulkJob.act)
    return list(db.session.execute(wanted.where(BulkJob.id.in_(job_ids))))
