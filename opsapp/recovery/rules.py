"""The recovery policy as values, and what it says about a failure. Times are business time."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from opsapp.kernel.clock import SEOUL
from opsapp.payments.rules import CUSTOMER_CLASSES

# Reasons of tickets.
REPEATED_FAILURE = "repeated_failure"
METHOD_UNUSABLE = "method_unusable"
GATEWAY_KEEPS_FAILING = "gateway_keeps_failing"
CARD_BUDGET_USED = "card_budget_used"
TICKET_REASONS = (REPEATED_FAILURE, METHOD_UNUSABLE, GATEWAY_KEEPS_FAILING, CARD_BUDGET_USED)

# Kinds of notices. The first failure has one of its own (notifications.rules.failure_notice).
REMINDER = "recovery_reminder"
LAST_WARNING = "recovery_last_warning"
APOLOGY = "gateway_trouble_apology"
STEP_NOTICES = ("", REMINDER, LAST_WARNING)
NOTICE_KINDS = (REMINDER, LAST_WARNING, APOLOGY)

NO_RETRY_MODES = frozenset({"none", "after_fix"})
BUDGET_WINDOW = timedelta(days=30)
COHORTS = ("A", "B")


class Reason(StrEnum):
    """Why it failed, as staff sort it: coarser than a code, finer than a class."""

    FUNDS = "funds"
    EXPIRED = "expired"
    AUTHENTICATION = "authentication"
    FRAUD = "fraud"
    GATEWAY = "gateway"
    UNPAID = "unpaid"


# Money may come: of one class with wrong card data, which never mends itself.
_FUNDS = ("insufficient_funds", "over_limit_or_funds", "over_limit", "over_daily_limit")
_EXPIRED = "expired_or_suspended"
_REASONS: dict[str | None, Reason] = {
    "authentication_failure": Reason.AUTHENTICATION,
    _EXPIRED: Reason.EXPIRED,
    "fraud_suspected": Reason.FRAUD,
    "customer_cancelled": Reason.UNPAID,
    None: Reason.UNPAID,
}
CUSTOMER_REASONS = tuple(reason for reason in Reason if reason is not Reason.GATEWAY)


class Next(StrEnum):
    """What follows a failure."""

    RETRY = "retry"
    GATEWAY_RETRY = "gateway_retry"
    UNDER_WAY = "under_way"
    WAIT_METHOD = "wait_method"
    WAIT_PERSON = "wait_person"
    WAIT_BUDGET = "wait_budget"
    FINAL = "final"


PLANNED = (Next.RETRY, Next.GATEWAY_RETRY)


class FinalAction(StrEnum):
    SUSPEND = "suspend"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """What follows the n-th failure in a row: another try `wait_hours` later.

    `waits` holds (reason, hours) that differ. `at_payday`: what lacked money waits on until the
    next payday, if one comes soon enough. `notice`: one of STEP_NOTICES.
    """

    wait_hours: int
    waits: tuple[tuple[str, int], ...] = ()
    at_payday: bool = False
    notice: str = ""

    def wait_of(self, reason: str) -> int:
        return dict(self.waits).get(reason, self.wait_hours)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that is done about charges that are to come and charges that failed.

    Customers are told of a charge `notice_days` before it, never later than `notice_lead_hours`
    before it, and of a card `expiring_days` before its end. The failure after the last step is
    the final one. Hours of the day are those of Seoul; equal ends are no span at all.
    """

    notice_days: int = 7
    notice_lead_hours: int = 24
    expiring_days: tuple[int, ...] = (60, 30, 7)
    quiet_from: int = 0
    quiet_until: int = 0
    steps: tuple[PolicyStep, ...] = (PolicyStep(24), PolicyStep(72, notice=LAST_WARNING))
    retries_max: int = 3
    ticket_at: int = 2
    answer_hours: int = 24
    assignee_id: int | None = None
    final_action: str = FinalAction.SUSPEND
    hard_reasons: tuple[str, ...] = ()
    paydays: tuple[int, ...] = ()
    payday_reach: int = 7
    gateway_wait_minutes: int = 60
    gateway_tries_max: int = 24
    apology_at: int = 1
    card_budget: int = 15
    closed_from: int = 0
    closed_until: int = 0

    @property
    def final_at(self) -> int:
        """The failure in a row that brings the final action."""
        return len(self.steps) + 1


SHIPPED = Policy()


@dataclass(frozen=True, slots=True)
class Failed:
    """One more failed attempt, and what was known when it failed.

    `failures`, `gateway_tries`: those before it. `card_tries`: declines of automatic attempts on
    this card in the last 30 days, this one included. `due_at`: when the next automatic step would
    have come without the try that staff asked for.
    """

    at: datetime
    failure_class: str | None
    reason: Reason
    retry_mode: str | None
    failures: int = 0
    gateway_tries: int = 0
    card_tries: int = 0
    is_by_staff: bool = False
    is_exhausted: bool = False
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`ticket`: the reason of the ticket to open. `warns`: the way to the final action begins."""

    next: Next
    failures: int
    gateway_tries: int
    next_at: datetime | None = None
    ticket: str | None = None
    notice: str = ""
    method_is_dead: bool = False
    warns: bool = False


def reason_of(failure_class: str | None, subclass: str | None) -> Reason:
    if subclass in _FUNDS:
        return Reason.FUNDS
    return _REASONS.get(failure_class, Reason.GATEWAY)


def cohort_of(subscription_id: int) -> int:
    """A number from 0 to 99 that a subscription keeps for ever."""
    digest = hashlib.sha256(f"recovery cohort {subscription_id}".encode()).digest()
    return int.from_bytes(digest[:4]) % 100


def decide(policy: Policy, failed: Failed) -> Decision:
    """What follows a failed attempt.

    A deposit that never came has no failure class; it counts like a decline. What the gateway or
    our own set-up got wrong does not count, and neither does a try that staff asked for: the
    step that was due before it is due after it.
    """
    if failed.failure_class is not None and failed.failure_class not in CUSTOMER_CLASSES:
        return _after_fault(policy, failed)
    if failed.is_by_staff:
        return _after_staff(policy, failed)
    failures = failed.failures + 1
    warns = failures == policy.ticket_at
    ticket = REPEATED_FAILURE if warns else None
    is_dead = _is_dead(failed)
    if failures >= policy.final_at:
        return Decision(Next.FINAL, failures, failed.gateway_tries, method_is_dead=is_dead)
    if _is_hopeless(policy, failed):
        step, instead = Next.WAIT_METHOD, METHOD_UNUSABLE
    elif failed.card_tries >= policy.card_budget:
        step, instead = Next.WAIT_BUDGET, CARD_BUDGET_USED
    else:
        return Decision(
            Next.RETRY,
            failures,
            failed.gateway_tries,
            next_at=retry_at(policy, failures, failed.reason, failed.at),
            ticket=ticket,
            notice=policy.steps[failures - 1].notice,
            warns=warns,
        )
    ticket = ticket or instead
    return Decision(
        step, failures, failed.gateway_tries, ticket=ticket, method_is_dead=is_dead, warns=warns
    )


def retry_at(policy: Policy, failures: int, reason: Reason, at: datetime) -> datetime:
    """When the try after the n-th failure in a row is due. Seoul has no summer time, so whole
    days keep the hour.
    """
    step = policy.steps[failures - 1]
    moment = at + timedelta(hours=step.wait_of(reason))
    if step.at_payday and reason is Reason.FUNDS:
        moment += timedelta(days=_days_to_payday(policy, moment))
    return _outside(policy.closed_from, policy.closed_until, moment)


def tell_at(policy: Policy, at: datetime) -> datetime:
    """The first moment from `at` that is not in the quiet hours."""
    return _outside(policy.quiet_from, policy.quiet_until, at)


def _after_fault(policy: Policy, failed: Failed) -> Decision:
    """Nothing is wrong with the customer's method: staff have to talk to the gateway."""
    tries = failed.gateway_tries + (not failed.is_by_staff)
    if failed.retry_mode in NO_RETRY_MODES or tries >= policy.gateway_tries_max:
        return Decision(Next.WAIT_PERSON, failed.failures, tries, ticket=GATEWAY_KEEPS_FAILING)
    moment = failed.at + timedelta(minutes=policy.gateway_wait_minutes)
    if failed.is_by_staff and failed.due_at is not None:
        moment = max(failed.due_at, failed.at)
    is_told = tries == policy.apology_at and not failed.is_by_staff
    return Decision(
        Next.GATEWAY_RETRY,
        failed.failures,
        tries,
        next_at=_outside(policy.closed_from, policy.closed_until, moment),
        notice=APOLOGY if is_told else "",
    )


def _after_staff(policy: Policy, failed: Failed) -> Decision:
    same = failed.failures, failed.gateway_tries
    if failed.is_exhausted:
        return Decision(Next.FINAL, *same, method_is_dead=_is_dead(failed))
    if _is_hopeless(policy, failed):
        dead = _is_dead(failed)
        return Decision(Next.WAIT_METHOD, *same, ticket=METHOD_UNUSABLE, method_is_dead=dead)
    if failed.due_at is None:
        return Decision(Next.WAIT_PERSON, *same)
    return Decision(Next.RETRY, *same, next_at=max(failed.due_at, failed.at))


def _is_hopeless(policy: Policy, failed: Failed) -> bool:
    return failed.retry_mode in NO_RETRY_MODES or failed.reason in policy.hard_reasons


def _is_dead(failed: Failed) -> bool:
    return failed.retry_mode == "none" and failed.failure_class == _EXPIRED


def _days_to_payday(policy: Policy, moment: datetime) -> int:
    """0 without one in reach. In a short month its last day stands for those it lacks."""
    today = moment.astimezone(SEOUL).date()
    for days in range(policy.payday_reach + 1):
        day = today + timedelta(days=days)
        is_last = (day + timedelta(days=1)).day == 1
        if day.day in policy.paydays or (is_last and max(policy.paydays, default=0) > day.day):
            return days
    return 0


def _outside(begin: int, end: int, moment: datetime) -> datetime:
    """The moment, or the end of the daily span (hours of Seoul) that it falls in."""
    local = moment.astimezone(SEOUL)
    if not _within(begin, end, local.hour):
        return moment
    day = local.replace(hour=end, minute=0, second=0, microsecond=0)
    later = day if day > local else day + timedelta(days=1)
    return later.astimezone(moment.tzinfo)


def _within(begin: int, end: int, hour: int) -> bool:
    if begin <= end:
        return begin <= hour < end
    return hour >= begin or hour < end
