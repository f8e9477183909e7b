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

from opsapp.customers.queries import ChargeKeys, get_charge_keys
from opsapp.gateways import registry
from opsapp.gateways.base import Answer, ChargeRequest
from opsapp.gateways.registry import gateway_named
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import owns_transactions, transaction
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.payments import claiming, queries, recording, requesting, rules
from opsapp.payments.events import PaymentFact
from opsapp.payments.models import Attempt
from opsapp.payments.recording import Claim
from opsapp.payments.requesting import request_context
from opsapp.payments.rules import Ask
from opsapp.payments.states import ATTEMPT, AttemptStatus
from opsapp.payments.vetoing import find_vetoed
from opsapp.settings import current

VIRTUAL_ACCOUNT = "virtual_account"


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
    rows = queries.lock_claimable_attempts(attempt_ids)
    keys = get_charge_keys([row.payment_method_id for row in rows])
    vetoed = find_vetoed((row.subject_type, row.subject_id) for row in rows)
    stopped = {row.id for row in rows if (row.subject_type, row.subject_id) in vetoed}
    replayable = {
        row.id: row.id not in stopped
        and _has_key(keys[row.payment_method_id])
        and claiming.may_replay(row)
        for row in rows
    }
    asks = {row.id: _ask(row, may_replay=replayable[row.id]) for row in rows}
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
        _taken(row, keys[row.payment_method_id], asks[row.id], replayable[row.id], call_before)
        for row in going
        if row.id in moved
    ]


async def _call(claim: Claim) -> Answer:
    """Exactly one request leaves, or none."""
    gateway = gateway_named(claim.gateway_name)
    if claim.question.ask is Ask.SEND:
        call = gateway.charge(claim.request)
    else:
        call = gateway.inquire(claim.request.gateway_order_id)
    return await claiming.understood(call, attempt_id=claim.attempt_id)


def _ask(row: Any, *, may_replay: bool) -> Ask:
    return rules.next_ask(
        row.status, turns=row.turns, first_sent_at=row.first_sent_at, may_replay=may_replay
    )


def _has_key(keys: ChargeKeys) -> bool:
    return keys.billing_key is not None or keys.kind == VIRTUAL_ACCOUNT


def _taken(row: Any, keys: ChargeKeys, ask: Ask, may_replay: bool, call_before: float) -> Claim:
    body = unseal(row.request_sealed, context=request_context(row.idempotency_key)).encode()
    return Claim(
        attempt_id=row.id,
        fence=row.fence + 1,
        gateway_name=row.gateway_name,
        question=claiming.question(row, ask, may_replay=may_replay),
        request=ChargeRequest(
            method_kind=keys.kind,
            gateway_order_id=row.gateway_order_id,
            idempotency_key=row.idempotency_key,
            body=body,
            billing_key=keys.billing_key,
            call_before=call_before,
        ),
        fact=_fact(row),
        first_sent_at=claiming.first_sent_at(row, ask),
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
        amount_minor=row.amount_minor,
        currency=row.currency,
        attempt_id=row.id,
        attempt_number=row.number,
    )
