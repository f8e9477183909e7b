"""Probe of advance notices: each statement gives one sentence per violation."""

from sqlalchemy import Select, and_, case, func, literal, or_, select

from opsapp.insights.probing_money import SUBSCRIPTION, sentence
from opsapp.payments.models import Attempt, Payment
from opsapp.recovery import rules as recovery
from opsapp.recovery.models import RecoveryPolicy
from opsapp.subscriptions import announcing, renewing
from opsapp.subscriptions.models import AdvanceNotice, BillingPeriod, Subscription
from opsapp.subscriptions.selecting import HALF_A_DAY


def unannounced_charges() -> list[Select[str]]:
    """I9: charges that the timetable made of its own accord, and nobody was told of in time.

    What falls due in the first days of an agreement, the agreement told of. Each charge obeys the
    policy of its day: looked at are those since it was changed last.
    """
    wish = announcing.find_lead()
    lead = case(
        (
            Subscription.interval == "day",
            func.least(literal(wish.lead), Subscription.interval_count * literal(HALF_A_DAY)),
        ),
        else_=literal(wish.lead),
    )
    told_at = (
        select(func.min(AdvanceNotice.attempted_at))
        .where(
            AdvanceNotice.subscription_id == Payment.subject_id,
            AdvanceNotice.period_index == Payment.period_index,
            AdvanceNotice.amount_minor == Payment.amount_minor,
        )
        .correlate(Payment)
        .scalar_subquery()
    )
    changed_at = (
        select(func.max(RecoveryPolicy.retired_at))
        .where(RecoveryPolicy.cohort == recovery.COHORTS[0])
        .scalar_subquery()
    )
    told = sentence(
        "payment ", Payment.id, " of subscription ", Payment.subject_id, " period ",
        Payment.period_index, ": made at ", Attempt.created_at, ", announced at ",
        func.coalesce(func.to_char(told_at, "YYYY-MM-DD HH24:MI:SSOF"), "no time"),
    )  # fmt: skip
    return [
        select(told)
        .select_from(Attempt)
        .join(Payment, Payment.id == Attempt.payment_id)
        .join(Subscription, Subscription.id == Payment.subject_id)
        .join(BillingPeriod, BillingPeriod.payment_id == Payment.id)
        .where(
            Payment.subject_type == SUBSCRIPTION,
            and_(Attempt.number == 1, Attempt.flow == "billing"),
            BillingPeriod.run_id.is_not(None),  # before there were notices there were no runs
            or_(changed_at.is_(None), Attempt.created_at > changed_at),
            Attempt.requested_by == str(renewing.BY),
            BillingPeriod.due_at >= Subscription.created_at + literal(wish.told_of),
            or_(told_at.is_(None), told_at > Attempt.created_at - lead),
        )
    ]
