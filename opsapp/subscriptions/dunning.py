"""After a failed renewal: try again, ask a person, suspend; after a paid one: put it right.

Reactions to what payments announces; they run inside the announcer's transaction. What follows a
failure is decided by the recovery policy alone (opsapp/recovery).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from opsapp.customers import payment_methods
from opsapp.customers.events import DeletionsStuck, MethodsStuck
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.payments import requesting
from opsapp.payments.events import (
    AnswersRecorded,
    DepositsReversed,
    PaymentFact,
    PaymentsFailed,
    PaymentsPaid,
)
from opsapp.payments.requesting import Again
from opsapp.recovery import ending, following, judging, rules as recovery
from opsapp.recovery.judging import Case, Judged
from opsapp.recovery.rules import FinalAction, Next
from opsapp.recovery.states import RecoveryStatus
from opsapp.subscriptions import beginning, cancelling, finding_changes, queries, rules, suspending
from opsapp.subscriptions.finding_changes import CHANGE_SUBJECT
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import ENDED, RECOVERABLE, SubscriptionStatus
from opsapp.subscriptions.suspending import Arrears, Suspension
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

BY = Actor("worker", "subscriptions.dunning")
_PUT_RIGHT = "the missing period was paid"
_OWED_STILL = "another period is owed still"
_TAKEN_BACK = "the bank took the deposit back"
_FAILURES_TOLD = ("payment_failed", "payment_method_unusable")
_SUSPENDED = "the subscription was suspended"
_TRIED_AGAIN = (*RECOVERABLE, SubscriptionStatus.PAUSED)


@dataclass(slots=True)
class _Plan:
    """What a batch of failures leads to, collected first and written set-based."""

    behind: list[Arrears] = field(default_factory=list)
    suspensions: list[Suspension] = field(default_factory=list)
    cancellations: dict[int, str] = field(default_factory=dict)
    retries: list[Again] = field(default_factory=list)
    tickets: list[NewTicket] = field(default_factory=list)
    notices: list[NewNotice] = field(default_factory=list)
    told_again: list[int] = field(default_factory=list)  # payments: their series ended once more
    dead_methods: set[int] = field(default_factory=set)


@within_transaction
def on_answers_recorded(event: AnswersRecorded) -> None:
    """Take the locks of all reactions at once, in the order of ids: those below and of changing."""
    paid, failed = (
        [fact for fact in facts if fact.subject_type == queries.SUBJECT]
        for facts in (event.paid, event.failed)
    )
    changes = [
        fact.subject_id
        for fact in (*event.paid, *event.failed)
        if fact.subject_type == CHANGE_SUBJECT
    ]
    changed = finding_changes.list_changed_subscriptions(changes)
    queries.lock_touched(
        paid=[fact.subject_id for fact in paid],
        payment_ids=[fact.payment_id for fact in paid],
        failed=[*(fact.subject_id for fact in failed), *changed],
    )


@within_transaction
def on_payments_failed(event: PaymentsFailed) -> None:
    """Count each failure, and do what the policy of its series says."""
    facts = [fact for fact in event.payments if fact.subject_type == queries.SUBJECT]
    followed = beginning.list_followed_by_orders(facts)
    facts = [fact for fact in facts if fact.payment_id not in followed]
    if not facts:
        return
    subscriptions = queries.lock_subscriptions([fact.subject_id for fact in facts])
    _give_up(facts, subscriptions)
    wanted = _recoverable(subscriptions)
    _keep_quiet([fact.payment_id for fact in facts if fact.subject_id not in wanted])
    facts = [fact for fact in facts if fact.subject_id in wanted]
    if not facts:
        return
    judged = judging.judge(_cases(facts, subscriptions))
    plan = _Plan()
    for each in judged:
        _plan_for(each, subscriptions[each.case.fact.subject_id], plan)
    _carry_out(plan, judged)


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """Forget the failures; what was past due or suspended is active again once nothing is owed."""
    facts = [fact for fact in event.payments if fact.subject_type == queries.SUBJECT]
    if not facts:
        return
    ids, payment_ids = [fact.subject_id for fact in facts], [fact.payment_id for fact in facts]
    # Also those that another method, or staff, put right before: their tickets wait still.
    troubled = queries.lock_troubled(ids, payment_ids=payment_ids)
    if not troubled:
        return
    concerned = [row.id for row in troubled]
    for subscription in troubled:
        subscription.failures_in_row = 0  # the series of another period keeps its own count
    unpaid = queries.list_unpaid_subjects(concerned)
    owing = following.collect(payment_ids, concerned, by=BY)
    settled = [id_ for id_ in concerned if id_ not in owing | unpaid]
    if behind := sorted(owing & unpaid):
        suspending.fall_behind([Arrears(id_, _OWED_STILL) for id_ in behind], by=BY)
    if not settled:
        return
    suspending.put_right(settled, because=_PUT_RIGHT, by=BY)
    ending.end_for(settled, because=_PUT_RIGHT, by=BY)  # those of payments that were given up
    for reason in rules.TICKET_REASONS:
        resolving.resolve_for(queries.SUBJECT, settled, reason, because=_PUT_RIGHT, by=BY)


@within_transaction
def on_deposits_reversed(event: DepositsReversed) -> None:
    """The period is owed again. What its payment had put right is not undone: no failure counts."""
    facts = [fact for fact in event.payments if fact.subject_type == queries.SUBJECT]
    if not facts:
        return
    owing = [Arrears(fact.subject_id, _TAKEN_BACK) for fact in facts]
    suspending.fall_behind(owing, by=BY)
    following.take_back([fact.payment_id for fact in facts], by=BY)
    subscriptions = queries.lock_subscriptions([fact.subject_id for fact in facts])
    over = [id_ for id_, row in subscriptions.items() if row.status in ENDED]
    ending.end_for(over, because="the subscription has ended", by=BY)


@within_transaction
def on_methods_stuck(event: MethodsStuck) -> None:
    """A registration without a certain answer needs a person."""
    because = "the gateway gives no certain answer about this registration"
    open_tickets(
        [
            NewTicket(
                "payment_method", fact.method_id, fact.customer_id, rules.METHOD_STUCK, because
            )
            for fact in event.methods
        ],
        by=BY,
    )


@within_transaction
def on_deletions_stuck(event: DeletionsStuck) -> None:
    """A key that nobody wants may still be at the gateway: nothing is charged, a person looks."""
    because = "the gateway gives no certain answer about this deletion"
    open_tickets(
        [
            NewTicket(
                "payment_method", fact.method_id, fact.customer_id, rules.DELETION_STUCK, because
            )
            for fact in event.methods
        ],
        by=BY,
    )


def _give_up(facts: Sequence[PaymentFact], subscriptions: dict[int, Subscription]) -> None:
    """Nobody tries again what failed after its subscription had ended."""
    over = [fact for fact in facts if subscriptions[fact.subject_id].status in ENDED]
    if over:
        because = "the subscription was cancelled"
        requesting.withdraw([fact.payment_id for fact in over], because=because, by=BY)
        ending.end_for([fact.subject_id for fact in over], because=because, by=BY)


def _keep_quiet(payment_ids: Sequence[int]) -> None:
    """Nothing follows from these failures, so nobody is asked for another method because of them.

    It was at the gateway when its subscription was cancelled, paused, held or suspended.
    """
    because = "the subscription is not charged any more"
    sending.revoke(_FAILURES_TOLD, queries.PAYMENT, payment_ids, because=because, by=BY)


def _recoverable(subscriptions: dict[int, Subscription]) -> set[int]:
    """While something blocks the billing, only what was agreed to go on."""
    wanted = {id_ for id_, row in subscriptions.items() if row.status in _TRIED_AGAIN}
    blocked = [id_ for id_ in wanted if subscriptions[id_].is_billing_blocked]
    return wanted - queries.list_stopped(blocked) if blocked else wanted


def _cases(facts: Sequence[PaymentFact], subscriptions: dict[int, Subscription]) -> list[Case]:
    rows = [subscriptions[fact.subject_id] for fact in facts]
    states = queries.list_method_states(sorted({row.payment_method_id for row in rows}))
    return [
        Case(
            fact,
            failures=row.failures_in_row,
            method_id=row.payment_method_id,
            method_is_active=states[row.payment_method_id].is_active,
        )
        for fact, row in zip(facts, rows, strict=True)
    ]


def _plan_for(judged: Judged, subscription: Subscription, plan: _Plan) -> None:
    fact, decision = judged.case.fact, judged.decision
    code = fact.failure_code or "failed"
    subscription.failures_in_row = judged.failures_in_row
    if decision.method_is_dead and fact.payment_method_id is not None:
        plan.dead_methods.add(fact.payment_method_id)
    if decision.ticket:
        plan.tickets.append(_ticket(judged, subscription))
    if decision.next is Next.FINAL:
        _plan_final(judged, subscription, code, plan)
        return
    if decision.next is not Next.GATEWAY_RETRY:
        plan.behind.append(Arrears(subscription.id, code))
    if decision.next_at is not None:
        method_id = subscription.payment_method_id
        plan.retries.append(Again(fact.payment_id, subscription.id, method_id, decision.next_at))
        if decision.notice:
            plan.notices.append(_notice(decision.notice, judged, subscription, decision.next_at))


def _plan_final(judged: Judged, subscription: Subscription, code: str, plan: _Plan) -> None:
    because = code if judged.is_retry_by_staff else f"failure {judged.decision.failures}: {code}"
    if judged.policy.policy.final_action == FinalAction.CANCEL:
        plan.cancellations[subscription.id] = because
        return
    plan.suspensions.append(Suspension(subscription.id, because))
    if not judged.is_retry_by_staff:
        plan.told_again.append(judged.case.fact.payment_id)
    plan.notices.append(_notice(rules.SUSPENDED_NOTICE, judged, subscription, None))


def _ticket(judged: Judged, subscription: Subscription) -> NewTicket:
    fact, policy = judged.case.fact, judged.policy.policy
    return NewTicket(
        queries.SUBJECT,
        subscription.id,
        subscription.customer_id,
        judged.decision.ticket or recovery.REPEATED_FAILURE,
        f"{fact.failure_code or 'failed'}, attempt {fact.attempt_number}",
        assignee_id=policy.assignee_id,
        answer_within=timedelta(hours=policy.answer_hours),
    )


def _notice(
    kind: str, judged: Judged, subscription: Subscription, next_at: datetime | None
) -> NewNotice:
    """About the payment: once per series, not once per life of the subscription."""
    fact, policy = judged.case.fact, judged.policy.policy
    values: dict[str, Any] = {
        "subscription_id": subscription.id,
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "link_subject": {"type": "payment_method", "id": subscription.payment_method_id},
    }
    if next_at is not None:
        values |= {
            "next_try_at": next_at.isoformat(),
            "attempt": judged.decision.failures,
            "attempts_max": policy.final_at,
        }
    return NewNotice(
        kind=kind,
        subject_type=queries.PAYMENT,
        subject_id=fact.payment_id,
        customer_id=subscription.customer_id,
        values=values,
        not_before=recovery.tell_at(policy, clock.now()),
    )


def _carry_out(plan: _Plan, judged: Sequence[Judged]) -> None:
    following.follow(judged, by=BY)
    suspending.fall_behind(plan.behind, by=BY)
    if plan.dead_methods:
        payment_methods.mark_expired(
            sorted(plan.dead_methods), because="the gateway will never charge it again", by=BY
        )
    over = {wish.subscription_id for wish in plan.suspensions} | set(plan.cancellations)
    requesting.request_other_attempts(
        [
            again
            for again in plan.retries
            if again.subject_id not in over and again.payment_method_id not in plan.dead_methods
        ],
        by=BY,
    )
    open_tickets(plan.tickets, by=BY)
    sending.send_again(rules.SUSPENDED_NOTICE, queries.PAYMENT, plan.told_again, by=BY)
    sending.queue_notices(plan.notices, by=BY)
    if plan.suspensions:
        suspending.suspend_many(plan.suspensions, by=BY)
        ids = [wish.subscription_id for wish in plan.suspensions]
        ending.end_for(ids, outcome=RecoveryStatus.EXHAUSTED, because=_SUSPENDED, by=BY)
    for subscription_id, because in sorted(plan.cancellations.items()):
        # One by one: the policy of few shops, and each takes back everything that is planned.
        cancelling.cancel(subscription_id, because=because, by=BY)
