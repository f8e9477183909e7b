"""Tallying: what has come of billing runs so far, in counts and sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select

from opsapp.kernel.db import db
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.subscriptions.models import BillingPeriod

OUTCOMES = (
    "paid",
    "under_way",
    "uncertain",
    "awaiting_deposit",
    "retrying",
    "failed",
    "cancelled",
)


@dataclass(frozen=True, slots=True)
class Part:
    count: int = 0
    sum_minor: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """Every payment of a run stands in exactly one part. Sums are in won."""

    parts: dict[str, Part]
    refunded_minor: int = 0
    paid_lately: int = 0  # since the moment that was asked for

    @property
    def made(self) -> Part:
        return Part(
            sum(part.count for part in self.parts.values()),
            sum(part.sum_minor for part in self.parts.values()),
        )

    def part(self, outcome: str) -> Part:
        return self.parts.get(outcome, Part())

    def as_report(self) -> dict[str, Any]:
        """For the run's own row: counts and sums by outcome."""
        told = {
            outcome: {"count": part.count, "sum_minor": part.sum_minor}
            for outcome, part in self.parts.items()
        }
        return told | {"refunded_minor": self.refunded_minor}


def of_report(report: dict[str, Any]) -> Tally:
    """The inverse of Tally.as_report."""
    parts = {outcome: Part(**report[outcome]) for outcome in OUTCOMES if outcome in report}
    return Tally(parts, refunded_minor=report["refunded_minor"])


def tally(run_ids: Sequence[int], *, lately: datetime) -> dict[int, Tally]:
    """By run; one that has made no payment is left out. `lately`: since when a rate is counted."""
    outcome = _outcome().label("outcome")
    paid_lately = func.count().filter(Payment.paid_at >= lately)
    rows = db.session.execute(
        select(
            BillingPeriod.run_id,
            outcome,
            func.count().label("payments"),
            func.sum(Payment.amount_minor).label("sum_minor"),
            func.sum(Payment.refunded_minor).label("refunded_minor"),
            paid_lately.label("paid_lately"),
        )
        .join(Payment, Payment.id == BillingPeriod.payment_id)
        .outerjoin(Attempt, _is_uncertain_try())
        .where(BillingPeriod.run_id.in_(run_ids))
        .group_by(BillingPeriod.run_id, outcome)
    ).all()
    return {
        run_id: Tally(
            {r.outcome: Part(r.payments, int(r.sum_minor)) for r in rows if r.run_id == run_id},
            refunded_minor=sum(int(r.refunded_minor) for r in rows if r.run_id == run_id),
            paid_lately=sum(r.paid_lately for r in rows if r.run_id == run_id),
        )
        for run_id in {row.run_id for row in rows}
    }


def list_failures(run_id: int) -> list[Any]:
    """Payments of the run that are not paid, by the class of their last failure."""
    unpaid = Payment.status.in_(
        [PaymentStatus.FAILED.value, PaymentStatus.PENDING.value, PaymentStatus.CANCELLED.value]
    )
    return list(
        db.session.execute(
            select(
                Payment.failure_class,
                func.count().label("payments"),
                func.sum(Payment.amount_minor).label("sum_minor"),
            )
            .join(BillingPeriod, BillingPeriod.payment_id == Payment.id)
            .where(BillingPeriod.run_id == run_id, unpaid, Payment.failure_class.is_not(None))
            .group_by(Payment.failure_class)
            .order_by(func.count().desc())
        )
    )


def _is_uncertain_try() -> ColumnElement[bool]:
    """At most one of a payment: it is the live one."""
    uncertain = [AttemptStatus.UNKNOWN.value, AttemptStatus.NEEDS_HUMAN.value]
    return and_(Attempt.payment_id == Payment.id, Attempt.status.in_(uncertain))


def _outcome() -> ColumnElement[str]:
    status = Payment.status
    paid = (PaymentStatus.PAID, PaymentStatus.PARTLY_REFUNDED, PaymentStatus.REFUNDED)
    return case(
        (status.in_([each.value for each in paid]), "paid"),
        (status == PaymentStatus.AWAITING_DEPOSIT.value, "awaiting_deposit"),
        (status == PaymentStatus.FAILED.value, "failed"),
        (status == PaymentStatus.CANCELLED.value, "cancelled"),
        (Attempt.id.is_not(None), "uncertain"),
        (Payment.failure_class.is_not(None), "retrying"),
        else_="under_way",
    )
