"""What a subscription's page tells of its periods: tries, what comes next, what was agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from opsapp.consents.models import Consent, ConsentWithdrawal
from opsapp.insights.showing_subscriptions import next_charge_on
from opsapp.kernel.db import db
from opsapp.kernel.money import Money
from opsapp.payments.holding import HELD_UNTIL
from opsapp.payments.models import Attempt
from opsapp.recovery.queries import get_policy
from opsapp.subscriptions import rules
from opsapp.subscriptions.models import AdvanceNotice, Subscription
from opsapp.subscriptions.states import ChangeStatus

CHARGES_SHOWN = 3
CONSENTS_MAX = 20
_NEW_RHYTHM = ("plan", "billing_day")


@dataclass(frozen=True, slots=True)
class ComingCharge:
    """`told_at`: when a channel was asked to announce it; else it is told on `told_on`."""

    period_index: int
    day: date
    amount: Money
    told_at: datetime | None
    told_on: date

    @property
    def is_weekend(self) -> bool:
        return self.day.weekday() >= 5


def list_coming(row: Subscription, changes: Sequence[Any]) -> list[ComingCharge]:
    """The next charges by the calendar that the renewals use; empty while nothing is charged.

    `changes`: the subscription's own. Charges fall on weekends and holidays like on other days.
    """
    first = next_charge_on(row)
    if first is None:
        return []
    told = _told_at(row.id, row.next_period_index)
    days = timedelta(days=get_policy().notice_days)
    coming = []
    for index in range(row.next_period_index, row.next_period_index + CHARGES_SHOWN):
        day = first if index == row.next_period_index else rules.due_on(row, index)
        if row.ends_on is not None and day >= row.ends_on:
            break
        change = _planned_on(day, changes)
        amount = Money(change.to_amount_minor, change.currency) if change else row.amount
        coming.append(ComingCharge(index, day, amount, told.get(index), day - days))
        if change is not None and change.kind in _NEW_RHYTHM:
            break  # its days begin with this one
    return coming


def list_attempts(payment_ids: Sequence[int | None]) -> dict[int, list[Any]]:
    """Of payments, by payment, in their order; `is_held`: not sent for the present."""
    wanted = (
        select(
            Attempt.payment_id, Attempt.number, Attempt.status, Attempt.due_at, Attempt.ended_at,
            Attempt.requested_by, Attempt.failure_class, Attempt.failure_code,
            Attempt.gateway_name, (Attempt.due_at >= HELD_UNTIL).label("is_held"),
        )
        .where(Attempt.payment_id.in_([id_ for id_ in payment_ids if id_ is not None]))
        .order_by(Attempt.payment_id, Attempt.number)
    )  # fmt: skip
    found: dict[int, list[Any]] = {}
    for row in db.session.execute(wanted):
        found.setdefault(row.payment_id, []).append(row)
    return found


def list_consents(subscription_id: int) -> list[Any]:
    """The newest first, each with when it was taken back."""
    wanted = (
        select(
            Consent.id, Consent.kind, Consent.terms_id, Consent.terms_label, Consent.channel,
            Consent.address, Consent.agreed_at, ConsentWithdrawal.withdrawn_at,
        )
        .outerjoin(ConsentWithdrawal, ConsentWithdrawal.consent_id == Consent.id)
        .where(Consent.subscription_id == subscription_id)
        .order_by(Consent.id.desc())
        .limit(CONSENTS_MAX)
    )  # fmt: skip
    return list(db.session.execute(wanted))


def _told_at(subscription_id: int, index: int) -> dict[int, datetime]:
    notices = select(AdvanceNotice.period_index, AdvanceNotice.attempted_at).where(
        AdvanceNotice.subscription_id == subscription_id,
        AdvanceNotice.period_index.between(index, index + CHARGES_SHOWN),
        AdvanceNotice.attempted_at.is_not(None),
    )
    return {row.period_index: row.attempted_at for row in db.session.execute(notices)}


def _planned_on(day: date, changes: Sequence[Any]) -> Any:
    """The change that counts from that day or before, if one is planned."""
    planned = ChangeStatus.PLANNED.value
    counts = (c for c in changes if c.status == planned and c.effective_on <= day)
    return next(counts, None)
