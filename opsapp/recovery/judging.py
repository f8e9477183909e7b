"""Judging: each failure meets the policy of its series, and what follows is decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.kernel import clock
from opsapp.kernel.db import within_transaction
from opsapp.payments import explaining
from opsapp.payments.events import PaymentFact
from opsapp.recovery import queries, rules
from opsapp.recovery.models import Recovery
from opsapp.recovery.queries import InForce
from opsapp.recovery.rules import BUDGET_WINDOW, Decision, Failed, Next, Reason
from opsapp.recovery.states import RecoveryStatus


@dataclass(frozen=True, slots=True)
class Case:
    """A failure and what its subscription says. `failures`: those in a row before it."""

    fact: PaymentFact
    failures: int
    method_id: int
    method_is_active: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """This one included, if it counts: `failures_in_row` at the subscription, `failures` of the
    series alone. The decision goes by the greater of the two.

    `is_retry_by_staff`: it leaves the plan as it was.
    """

    case: Case
    reason: Reason
    decision: Decision
    failures_in_row: int
    failures: int
    policy: InForce
    held: Recovery | None
    is_retry_by_staff: bool


@within_transaction
def judge(cases: Sequence[Case]) -> list[Judged]:
    """In the order of the cases; after the final step of a subscription its others are left out.

    A series keeps the version of the policy that it began with, and its own count: a payment of
    another period begins the subscription's count anew, but not that of this one.
    """
    facts = [case.fact for case in cases]
    ids = [fact.subject_id for fact in facts]
    held = queries.lock_of_payments([fact.payment_id for fact in facts])
    policies = _policies(facts, held)
    tries = queries.count_declines(
        [case.method_id for case in cases],
        [fact.customer_id for fact in facts],
        since=clock.now() - BUDGET_WINDOW,
    )
    counts: dict[int, int] = {}
    judged: list[Judged] = []
    over: set[int] = set()
    for id_, case in zip(ids, cases, strict=True):
        if id_ in over:
            continue
        in_row = counts.get(id_, case.failures)
        row = held.get(case.fact.payment_id)
        found = _judge(case, in_row, policies[case.fact.payment_id], row, tries)
        counts[id_] = found.failures_in_row
        if found.decision.next is Next.FINAL:
            over.add(id_)
        judged.append(found)
    return judged


def reason_of(failure_class: str | None, code: str | None, gateway_name: str) -> Reason:
    """By the dictionary: a class alone does not tell a lack of money from wrong card data."""
    known = explaining.find_failure(code, gateway_name=gateway_name) if code else None
    return rules.reason_of(failure_class, known.subclass if known else None)


def _policies(facts: Sequence[PaymentFact], held: dict[int, Recovery]) -> dict[int, InForce]:
    """By payment."""
    ids = [fact.subject_id for fact in facts]
    running = queries.list_running_policies(ids)
    now = queries.policies_of(ids)
    wanted = {
        fact.payment_id: held[fact.payment_id].policy_id
        if fact.payment_id in held
        else running.get(fact.subject_id, now[fact.subject_id].id)
        for fact in facts
    }
    known = queries.list_policies_by_id(list(wanted.values()))
    return {payment_id: known[policy_id] for payment_id, policy_id in wanted.items()}


def _judge(
    case: Case, in_row: int, policy: InForce, held: Recovery | None, tries: dict[int, int]
) -> Judged:
    fact = case.fact
    is_retry = fact.attempt_number > 1 and fact.is_by_staff
    # After its last step a series that is taken up once more begins anew, but not by such a retry.
    goes_on = held is not None and (is_retry or held.next_step != Next.FINAL)
    own = held.failures if held is not None and goes_on else 0
    before = max(in_row, own)
    reason = reason_of(fact.failure_class, fact.failure_code, fact.gateway_name)
    failed = Failed(
        at=clock.now(),
        failure_class=fact.failure_class,
        reason=reason,
        retry_mode=_retry_mode(case),
        failures=before,
        gateway_tries=held.gateway_tries if held else 0,
        card_tries=tries.get(case.method_id, 0),
        is_by_staff=is_retry,
        is_exhausted=held is not None and _was_exhausted(held),
        due_at=held.next_at if held else None,
    )
    decision = rules.decide(policy.policy, failed)
    more = decision.failures - before
    return Judged(case, reason, decision, in_row + more, own + more, policy, held, is_retry)


def _was_exhausted(held: Recovery) -> bool:
    """Staff may be trying once more what the policy had ended."""
    return held.next_step == Next.FINAL and held.status in (
        RecoveryStatus.EXHAUSTED,
        RecoveryStatus.PROCESSING,
    )


def _retry_mode(case: Case) -> str | None:
    """That of the failure, unless the customer has changed the method since."""
    if not case.method_is_active:
        return "after_fix"
    if case.method_id != case.fact.payment_method_id:
        return None  # what the old one could not do says nothing about the new one
    return case.fact.retry_mode
