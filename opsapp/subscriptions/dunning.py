"""After a failed renewal: try again, ask a person, suspend; after a paid one: put it right.

Reactions to what payments announces; they run inside the announcer's transaction.
"""

from dataclasses import dataclass, field

from opsapp.customers import payment_methods
from opsapp.customers.events import DeletionsStuck, MethodsStuck
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
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
from opsapp.payments.states import PaymentStatus
from opsapp.subscriptions import queries, rules, skipping
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.rules import Recovery, Step
from opsapp.subscriptions.states import CHARGEABLE, SUBSCRIPTION, SubscriptionStatus
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

BY = Actor("worker", "subscriptions.dunning")
_PUT_RIGHT = "the missing period was paid"
_TAKEN_BACK = "the bank took the deposit back"


@dataclass(slots=True)
class _Plan:
    """What a batch of failures leads to, collected first and written set-based."""

    active_methods: frozenset[int]
    moves: dict[int, RowMove] = field(default_factory=dict)
    retries: list[tuple[PaymentFact, Subscription, Recovery]] = field(default_factory=list)
    tickets: list[NewTicket] = field(default_factory=list)
    notices: list[NewNotice] = field(default_factory=list)
    dead_methods: set[int] = field(default_factory=set)
    given_up: list[int] = field(default_factory=list)
    suspended: list[int] = field(default_factory=list)


@within_transaction
def on_answers_recorded(event: AnswersRecorded) -> None:
    """Take the locks of both reactions below at once, in the order of ids."""
    paid, failed = (
        [fact.subject_id for fact in facts if fact.subject_type == queries.SUBJECT]
        for facts in (event.paid, event.failed)
    )
    queries.lock_touched(paid=paid, failed=failed)


@within_transaction
def on_payments_failed(event: PaymentsFailed) -> None:
    """Count the failure and decide by rules.recover what follows it."""
    facts = [fact for fact in event.payments if fact.subject_type == queries.SUBJECT]
    if not facts:
        return
    subscriptions = queries.lock_subscriptions([fact.subject_id for fact in facts])
    methods = {row.payment_method_id for row in subscriptions.values()}
    states = queries.list_method_states(sorted(methods))
    plan = _Plan(frozenset(id_ for id_, state in states.items() if state.is_active))
    for fact in facts:
        _plan_for(fact, subscriptions[fact.subject_id], plan)
    _carry_out(plan)


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """Forget the failures; what was past due or suspended is active again once nothing is owed."""
    ids = [fact.subject_id for fact in event.payments if fact.subject_type == queries.SUBJECT]
    troubled = queries.lock_troubled(ids) if ids else []
    if not troubled:
        return
    owing = queries.list_unpaid_subjects([row.id for row in troubled])
    for subscription in troubled:
        subscription.failures_in_row = 0
    back = [row for row in troubled if row.id not in owing and row.status not in _STANDING]
    SUBSCRIPTION.move_many(
        Subscription,
        [RowMove(row.id, row.status, SubscriptionStatus.ACTIVE, _PUT_RIGHT) for row in back],
        by=BY,
    )
    for subscription in back:
        if subscription.status == SubscriptionStatus.SUSPENDED:
            skipping.skip_missed(subscription, because="it was suspended", by=BY)
    settled = [row.id for row in troubled if row.id not in owing]
    for reason in rules.TICKET_REASONS if settled else ():
        resolving.resolve_for(queries.SUBJECT, settled, reason, because=_PUT_RIGHT, by=BY)


@within_transaction
def on_deposits_reversed(event: DepositsReversed) -> None:
    """The period is owed again. What its payment had put right is not undone: no failure counts."""
    ids = [fact.subject_id for fact in event.payments if fact.subject_type == queries.SUBJECT]
    owing = queries.lock_subscriptions(ids) if ids else {}
    moves = [
        RowMove(row.id, row.status, SubscriptionStatus.PAST_DUE, _TAKEN_BACK)
        for row in owing.values()
        if row.status == SubscriptionStatus.ACTIVE
    ]
    SUBSCRIPTION.move_many(Subscription, moves, by=BY)


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


_UNDER_WAY = (PaymentStatus.PENDING, PaymentStatus.AWAITING_DEPOSIT)


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


_STANDING = (
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.PAUSED,
    SubscriptionStatus.CANCELLED,
)


def _plan_for(fact: PaymentFact, subscription: Subscription, plan: _Plan) -> None:
    if subscription.status == SubscriptionStatus.CANCELLED:
        plan.given_up.append(fact.payment_id)
        return
    if subscription.status not in CHARGEABLE or subscription.id in plan.suspended:
        return
    recovery = rules.recover(
        failures_in_row=subscription.failures_in_row,
        attempt_number=fact.attempt_number,
        failure_class=fact.failure_class,
        retry_mode=_retry_mode(fact, subscription, plan),
    )
    subscription.failures_in_row = recovery.failures_in_row
    if recovery.method_is_dead and fact.payment_method_id is not None:
        plan.dead_methods.add(fact.payment_method_id)
    _plan_move(fact, subscription, recovery, plan)
    if recovery.ticket:
        summary = f"{fact.failure_code or 'failed'}, attempt {fact.attempt_number}"
        plan.tickets.append(
            NewTicket(
                queries.SUBJECT, subscription.id, subscription.customer_id, recovery.ticket, summary
            )
        )
    if recovery.step is Step.RETRY:
        plan.retries.append((fact, subscription, recovery))


def _retry_mode(fact: PaymentFact, subscription: Subscription, plan: _Plan) -> str | None:
    """That of the failure, unless the customer has changed the method since."""
    if subscription.payment_method_id not in plan.active_methods:
        return "after_fix"
    if subscription.payment_method_id != fact.payment_method_id:
        return None  # what the old one could not do says nothing about the new one
    return fact.retry_mode


def _plan_move(
    fact: PaymentFact, subscription: Subscription, recovery: Recovery, plan: _Plan
) -> None:
    """Active -> past due with the first failure, and suspended with the last one."""
    code = fact.failure_code or "failed"
    if recovery.step is Step.SUSPEND:
        target, because = (
            SubscriptionStatus.SUSPENDED,
            f"failure {recovery.failures_in_row}: {code}",
        )
        plan.suspended.append(subscription.id)
        plan.notices.append(_suspension_notice(fact, subscription))
    elif subscription.status == SubscriptionStatus.ACTIVE:
        target, because = SubscriptionStatus.PAST_DUE, code
    else:
        return
    plan.moves[subscription.id] = RowMove(subscription.id, subscription.status, target, because)


def _suspension_notice(fact: PaymentFact, subscription: Subscription) -> NewNotice:
    return NewNotice(
        kind=rules.SUSPENDED_NOTICE,
        subject_type=queries.PAYMENT,  # once per suspension, not once per life of the subscription
        subject_id=fact.payment_id,
        customer_id=subscription.customer_id,
        values={
            "subscription_id": subscription.id,
            "amount_minor": fact.amount_minor,
            "currency": fact.currency,
        },
    )


def _carry_out(plan: _Plan) -> None:
    SUBSCRIPTION.move_many(Subscription, list(plan.moves.values()), by=BY)
    if plan.dead_methods:
        payment_methods.mark_expired(
            sorted(plan.dead_methods), because="the gateway will never charge it again", by=BY
        )
    _plan_retries(plan)
    open_tickets(plan.tickets, by=BY)
    if plan.notices:
        sending.queue_notices(plan.notices, by=BY)
    if plan.suspended:
        planned = queries.lock_free_payments_of(plan.suspended, _UNDER_WAY)
        requesting.withdraw(planned, because="the subscription was suspended", by=BY)
    if plan.given_up:
        requesting.withdraw(plan.given_up, because="the subscription was cancelled", by=BY)


def _plan_retries(plan: _Plan) -> None:
    now = clock.now()
    for fact, subscription, recovery in plan.retries:
        if subscription.id in plan.suspended or fact.payment_method_id in plan.dead_methods:
            continue
        requesting.request_another_attempt(
            fact.payment_id,
            payment_method_id=subscription.payment_method_id,
            due_at=now + rules.retry_after(recovery),
            by=BY,
        )
