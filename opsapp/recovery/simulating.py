"""Simulating: what a policy would have done about last month's failures. Nothing is written.

The gateway's answers are those that came. Where a policy tries more often than was tried, the last
answer is taken to come again: counts are the most that can be, and what might be collected is told
by how such tries went so far.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from opsapp.kernel import clock
from opsapp.payments import explaining
from opsapp.payments.states import AttemptStatus
from opsapp.recovery import judging, queries, rules
from opsapp.recovery.rules import BUDGET_WINDOW, Decision, Failed, Next, Policy, Reason

WINDOW = timedelta(days=30)
HISTORY = timedelta(days=180)
PAYMENTS_MAX = 20_000
TELLING = 20  # fewer tries than these tell nothing of their own
AGES = (0, 1, 3, 7)  # days after the decline, from which on tries are counted together
_STAFF = "staff:"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said about one attempt; `failure_class` None and not paid: no deposit."""

    at: datetime
    is_paid: bool
    failure_class: str | None
    reason: Reason
    retry_mode: str | None
    method_id: int | None
    is_by_staff: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One payment that failed, and all that was answered."""

    payment_id: int
    subscription_id: int
    amount_minor: int
    currency: str
    answers: tuple[Answer, ...]


@dataclass(slots=True)
class Outcome:
    """Sums by currency are minor units. `recovered`: by answers that came; `expected`: with what
    such tries brought so far.
    """

    payments: int = 0
    retries: Counter[int] = field(default_factory=Counter)  # by the failure they follow
    gateway_retries: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    tickets: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    ended: int = 0  # subscriptions with the final action
    recovered: Counter[str] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)


class History:
    """How often a try after a decline was paid, by reason and age."""

    def __init__(self, rows: Iterable[tuple[Reason, int, int, int]]) -> None:
        self._tries: Counter[tuple[str, int]] = Counter()
        self._paid: Counter[tuple[str, int]] = Counter()
        for reason, days, tries, paid in rows:
            for key in ((reason, _age(days)), (reason, -1), ("", -1)):
                self._tries[key] += tries
                self._paid[key] += paid

    def share(self, reason: Reason, days: int) -> float:
        """Of the narrowest group with enough tries; 0 without any history."""
        for key in ((reason, _age(days)), (reason, -1), ("", -1)):
            if self._tries[key] >= TELLING:
                return self._paid[key] / self._tries[key]
        return 0.0


def load_series() -> list[Series]:
    """Last month's, with the answers as they came; by the dictionary of now."""
    rows = queries.list_series(clock.now() - WINDOW, limit=PAYMENTS_MAX)
    by_payment: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        by_payment[row.payment_id].append(row)
    return [
        Series(
            payment_id,
            group[0].subject_id,
            group[0].amount_minor,
            group[0].currency,
            tuple(_answer(row) for row in group),
        )
        for payment_id, group in by_payment.items()
    ]


def load_history() -> History:
    return History(
        (
            judging.reason_of(row.failure_class, row.failure_code, row.gateway_name),
            int(row.days),
            row.tries,
            row.paid,
        )
        for row in queries.count_outcomes(clock.now() - HISTORY)
    )


def simulate(policy: Policy, series: Sequence[Series], history: History) -> Outcome:
    """Run the policy's own rules over the answers."""
    outcome = Outcome(payments=len(series))
    by_subscription: dict[int, list[Series]] = defaultdict(list)
    for each in series:
        by_subscription[each.subscription_id].append(each)
    for group in by_subscription.values():
        _Run(policy, outcome, history).go(group)
    return outcome


@dataclass(slots=True)
class _Try:
    """The next answer to come about one payment."""

    series: Series
    answers: list[Answer]
    place: int = 0
    failures: int = 0
    gateway_tries: int = 0
    failed_at: datetime | None = None
    left: float = 1.0  # the chance that it is not paid yet
    told: set[str] = field(default_factory=set)

    @property
    def is_assumed(self) -> bool:
        return self.place >= len(self.answers)

    @property
    def answer(self) -> Answer:
        return self.answers[min(self.place, len(self.answers) - 1)]


class _Run:
    """One subscription: its payments share the failures in a row and the tickets.

    Each has a count of its own besides, as in judging.
    """

    def __init__(self, policy: Policy, outcome: Outcome, history: History) -> None:
        self.policy, self.outcome, self.history = policy, outcome, history
        self.failures = 0
        self.tickets: set[str] = set()
        self.declines: dict[int | None, list[datetime]] = defaultdict(list)
        self.queue: list[tuple[datetime, int, _Try]] = []

    def go(self, group: Sequence[Series]) -> None:
        saved = {s.payment_id: _paid_by_staff(s) for s in group}
        for series in group:
            answers = [a for n, a in enumerate(series.answers) if n == 0 or not a.is_by_staff]
            heappush(self.queue, (answers[0].at, series.payment_id, _Try(series, answers)))
        while self.queue:
            at, payment_id, this = heappop(self.queue)
            by_staff = saved[payment_id]
            if (by_staff is not None and by_staff <= at) or this.answer.is_paid:
                self._collect(this, this.left)
            elif self._fail(this, at) is Next.FINAL:
                self.outcome.ended += 1
                return

    def _collect(self, this: _Try, share: float) -> None:
        self.failures = 0
        self.tickets.clear()
        currency, amount = this.series.currency, this.series.amount_minor
        self.outcome.recovered[currency] += amount
        self.outcome.expected[currency] += round(amount * share)

    def _fail(self, this: _Try, at: datetime) -> Next:
        answer = this.answer
        if this.is_assumed and this.failed_at is not None:
            self._expect(this, answer.reason, (at - this.failed_at).days)
        before = max(self.failures, this.failures)
        self.declines[answer.method_id].append(at)
        lately = [t for t in self.declines[answer.method_id] if t > at - BUDGET_WINDOW]
        decision = rules.decide(
            self.policy,
            Failed(
                at=at,
                failure_class=answer.failure_class,
                reason=answer.reason,
                retry_mode=answer.retry_mode,
                failures=before,
                gateway_tries=this.gateway_tries,
                card_tries=len(lately),
            ),
        )
        self.failures += decision.failures - before
        this.failures += decision.failures - before
        this.gateway_tries = decision.gateway_tries
        self._count(this, decision)
        this.failed_at, this.place = at, this.place + 1
        if decision.next_at is not None:
            heappush(self.queue, (decision.next_at, this.series.payment_id, this))
        elif decision.next is not Next.FINAL and not this.is_assumed:
            # Somebody gave another method, or tried it by hand: that happened then.
            heappush(self.queue, (max(at, this.answer.at), this.series.payment_id, this))
        return decision.next

    def _expect(self, this: _Try, reason: Reason, days: int) -> None:
        share = self.history.share(reason, days)
        amount = this.series.amount_minor * this.left * share
        self.outcome.expected[this.series.currency] += round(amount)
        this.left *= 1 - share

    def _count(self, this: _Try, decision: Decision) -> None:
        if decision.next is Next.RETRY:
            self.outcome.retries[decision.failures] += 1
        elif decision.next is Next.GATEWAY_RETRY:
            self.outcome.gateway_retries += 1
        elif decision.next is not Next.FINAL:
            self.outcome.waiting[decision.next.value] += 1
        if decision.notice and decision.notice not in this.told:
            this.told.add(decision.notice)
            self.outcome.notices[decision.notice] += 1
        if decision.ticket and decision.ticket not in self.tickets:
            self.tickets.add(decision.ticket)
            self.outcome.tickets[decision.ticket] += 1


def _paid_by_staff(series: Series) -> datetime | None:
    return next((a.at for a in series.answers if a.is_by_staff and a.is_paid), None)


def _answer(row: Any) -> Answer:
    known = None
    if row.failure_code is not None:
        known = explaining.find_failure(row.failure_code, gateway_name=row.gateway_name)
    return Answer(
        at=row.ended_at,
        is_paid=row.status == AttemptStatus.SUCCEEDED,
        failure_class=row.failure_class,
        reason=judging.reason_of(row.failure_class, row.failure_code, row.gateway_name),
        retry_mode=known.retry_mode if known else None,
        method_id=row.payment_method_id,
        is_by_staff=row.number > 1 and row.requested_by.startswith(_STAFF),
    )


def _age(days: int) -> int:
    return max(age for age in AGES if age <= max(days, 0))


def compared(now: Outcome, then: Outcome) -> list[tuple[str, Mapping[str, int], Mapping[str, int]]]:
    """(name, now, then) of what a person weighs before turning a version on."""
    return [
        (name, _named(now, name), _named(then, name))
        for name in ("retries", "notices", "tickets", "waiting", "recovered", "expected")
    ]


def _named(outcome: Outcome, name: str) -> Mapping[str, int]:
    counts: Counter[Any] = getattr(outcome, name)
    return {str(key): counts[key] for key in sorted(counts, key=str)}
