"""Charging: claim attempts, ask the gateway, write down the answers. One or thousands.

Exactly once in effect: the claim is committed before anything is sent, the request goes out
under the attempt's stored key with no transaction open, and an answer counts only under the
fence it was asked with. What may be out already is inquired, never charged anew; what a room
above has stopped meanwhile is withdrawn if it never left, and only ever inquired if it may have.
"""

from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any

from opsapp.customers.queries import get_billing_keys
from opsapp.failures.loading import refresh as refresh_dictionary
from opsapp.gateways import registry
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, ChargeRequest, Flow, Inquiry
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import owns_transactions, transaction
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.payments import claiming, closing, queries, recording, requesting, rules
from opsapp.payments.events import PaymentFact
from opsapp.payments.models import Attempt
from opsapp.payments.recording import Claim
from opsapp.payments.requesting import request_context
from opsapp.payments.rules import Ask, Question
from opsapp.payments.states import ATTEMPT, AttemptStatus
from opsapp.payments.vetoing import find_vetoed
from opsapp.settings import current


@owns_transactions
def execute_attempts(attempt_ids: Sequence[int], *, by: Actor) -> None:
    """Give each attempt one turn at its gateway: a charge, or an inquiry if one may be out."""
    with transaction():
        _withdraw_stopped(attempt_ids, by=by)
    steps = Steps(
        claim=partial(_claim, by=by),
        call=_call,
        record=partial(recording.record_answers, by=by),
        connected=registry.connected,
    )
    take_turns(
        attempt_ids, steps, abreast=claiming.abreast_max(), budget_s=current().chunk_budget_s
    )


def _withdraw_stopped(attempt_ids: Sequence[int], *, by: Actor) -> None:
    """In a transaction of its own: payments are locked before attempts, a claim cannot do that."""
    unsent = queries.list_unsent(attempt_ids)
    vetoed = find_vetoed((row.subject_type, row.subject_id) for row in unsent)
    stopped = [r.payment_id for r in unsent if (r.subject_type, r.subject_id) in vetoed]
    if stopped:
        requesting.withdraw(stopped, because="stopped before anything was sent", by=by)


def _claim(attempt_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    started = monotonic()
    refresh_dictionary()
    rows = claiming.pass_over_resting(Attempt, queries.lock_claimable_attempts(attempt_ids))
    keys = _find_billing_keys(rows)
    vetoed = find_vetoed((row.subject_type, row.subject_id) for row in rows)
    stopped = {row.id for row in rows if (row.subject_type, row.subject_id) in vetoed}
    replayable = {
        row.id: row.id not in stopped
        and (row.flow != Flow.BILLING or keys[row.id] is not None)
        and claiming.may_replay(row)
        for row in rows
    }
    given_up = {row.id for row in rows if row.id in stopped or row.close_because is not None}
    asks = {
        row.id: _ask(row, may_replay=replayable[row.id], is_given_up=row.id in given_up)
        for row in rows
    }
    stuck = [row for row in rows if asks[row.id] is Ask.STAFF]
    recording.hand_to_staff(stuck, because="no certain answer in many turns", by=by)
    going = [
        row
        for row in rows
        if asks[row.id] is not Ask.STAFF
        # Stopped after this job had begun: the next round withdraws it.
        and not (row.id in stopped and asks[row.id] is Ask.SEND)
    ]
    moved = ATTEMPT.move_many(Attempt, [_as_move(row, asks[row.id]) for row in going], by=by)
    call_before = started + current().lease_margin_s
    return [
        _taken(
            row,
            keys[row.id],
            claiming.question(
                row,
                asks[row.id],
                may_replay=replayable[row.id],
                previous=rules.previous_of(row.status, row.flow, row.first_sent_at),
                is_contradicted=row.failure_code is not None,
                is_given_up=row.id in given_up,
                is_window_over=row.business_now >= row.created_at + rules.WINDOW_LIFE,
            ),
            call_before,
        )
        for row in going
        if row.id in moved
    ]


async def _call(claim: Claim) -> Answer:
    """Exactly one request leaves, or none."""
    gateway = gateway_named(claim.gateway_name)
    if claim.question.ask is Ask.SEND:
        call = gateway.charge(claim.request)
    elif claim.question.ask is Ask.CLOSE:
        call = gateway.close_account(closing.as_request(claim))
    else:
        request = claim.request
        call = gateway.inquire(Inquiry(request.gateway_order_id, request.gateway_key, request.flow))
    return await claiming.understood(call, attempt_id=claim.attempt_id)


def _ask(row: Any, *, may_replay: bool, is_given_up: bool) -> Ask:
    return rules.next_ask(
        row.status,
        turns=row.turns,
        first_sent_at=row.first_sent_at,
        may_replay=may_replay,
        closes=closing.is_to_be_closed(row, is_given_up=is_given_up),
    )


def _find_billing_keys(rows: Sequence[Any]) -> dict[int, str | None]:
    """By attempt: what a charge without the customer is made with."""
    wanted = {row.id: row.payment_method_id for row in rows if row.flow == Flow.BILLING}
    keys = get_billing_keys(list(wanted.values()))
    return {row.id: keys[wanted[row.id]] if row.id in wanted else None for row in rows}


def _taken(row: Any, billing_key: str | None, question: Question, call_before: float) -> Claim:
    body = unseal(row.request_sealed, context=request_context(row.idempotency_key)).encode()
    return Claim(
        attempt_id=row.id,
        fence=row.fence + 1,
        gateway_name=row.gateway_name,
        question=question,
        request=ChargeRequest(
            flow=Flow(row.flow),
            gateway_order_id=row.gateway_order_id,
            idempotency_key=row.idempotency_key,
            body=body,
            billing_key=billing_key,
            gateway_key=row.gateway_key,
            call_before=call_before,
        ),
        fact=_fact(row),
        first_sent_at=claiming.first_sent_at(row, question.ask),
        gateway_key=row.gateway_key,
    )


def _as_move(row: Any, ask: Ask) -> RowMove:
    sends = ask is Ask.SEND
    return RowMove(
        row.id,
        row.status,
        AttemptStatus.INFLIGHT,
        because="claimed, to be sent" if sends else "claimed, to be inquired",
        fence=row.fence,
        also=claiming.lease(row, ask) | {"last_sent_at": row.now},
        detail={"fence": row.fence + 1},
    )


def _fact(row: Any) -> PaymentFact:
    return PaymentFact(
        payment_id=row.payment_id,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        period_index=row.period_index,
        customer_id=row.customer_id,
        payment_method_id=row.payment_method_id,
        gateway_name=row.gateway_name,
        method_kind=row.method_kind,
        amount_minor=row.amount_minor,
        currency=row.currency,
        attempt_id=row.id,
        attempt_number=row.number,
        is_by_staff=rules.is_by_staff(row.requested_by),
    )
