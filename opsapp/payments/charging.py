"""Charging: claim attempts, ask the gateway, write down the answers. One or thousands.

Exactly once in effect: the claim is committed before anything is sent, the request goes out
under the attempt's stored key with no transaction open, and an answer counts only under the
fence it was asked with. What may be out already is inquired, never charged anew.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import structlog

from opsapp.customers.queries import get_charge_keys
from opsapp.gateways import registry
from opsapp.gateways.base import Answer, ChargeRequest, Outcome
from opsapp.gateways.registry import gateway_named
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import owns_transactions
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.payments import queries, recording, rules
from opsapp.payments.events import PaymentFact
from opsapp.payments.models import Attempt
from opsapp.payments.recording import Claim
from opsapp.payments.requesting import request_context
from opsapp.payments.rules import Ask, Question
from opsapp.payments.states import ATTEMPT, AttemptStatus
from opsapp.settings import current

log = structlog.get_logger(__name__)


@owns_transactions
def execute_attempts(attempt_ids: Sequence[int], *, by: Actor) -> None:
    """Give each attempt one turn at its gateway: a charge, or an inquiry if one may be out."""
    steps = Steps(
        claim=partial(_claim, by=by),
        call=_call,
        record=partial(recording.record_answers, by=by),
        connected=registry.connected,
    )
    take_turns(
        attempt_ids,
        steps,
        abreast=min((gateway.abreast_max for gateway in registry.all_gateways()), default=1),
        budget_s=current().chunk_budget_s,
    )


def _claim(attempt_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    started = monotonic()
    rows = queries.lock_claimable_attempts(attempt_ids)
    asks = {row.id: _ask(row) for row in rows}
    stuck = [row for row in rows if asks[row.id] is Ask.STAFF]
    recording.hand_to_staff(stuck, because="no certain answer in many turns", by=by)
    going = [row for row in rows if asks[row.id] is not Ask.STAFF]
    keys = get_charge_keys([row.payment_method_id for row in going])
    moved = ATTEMPT.move_many(Attempt, [_as_move(row, asks[row.id]) for row in going], by=by)
    return [
        Claim(
            attempt_id=row.id,
            fence=row.fence + 1,
            gateway_name=row.gateway_name,
            question=_question(row, asks[row.id]),
            request=ChargeRequest(
                gateway_order_id=row.gateway_order_id,
                idempotency_key=row.idempotency_key,
                body=_body(row),
                billing_key=keys[row.payment_method_id].billing_key,
            ),
            fact=_fact(row),
            first_sent_at=_first_sent_at(row, asks[row.id]),
            gateway_key=row.gateway_key,
            call_before=started + current().lease_margin_s,
        )
        for row in going
        if row.id in moved
    ]


async def _call(claim: Claim) -> Answer:
    """Exactly one request leaves, or none."""
    gateway = gateway_named(claim.gateway_name)
    if monotonic() > claim.call_before:
        return Answer(Outcome.NOT_SENT, "the lease is too old to send")
    try:
        if claim.question.ask is Ask.SEND:
            return await gateway.charge(claim.request)
        return await gateway.inquire(claim.request.gateway_order_id)
    except Exception as trouble:
        log.exception("payments.adapter_failed", attempt_id=claim.attempt_id)
        return Answer(Outcome.UNKNOWN, f"the adapter failed ({type(trouble).__name__})")


def _ask(row: Any) -> Ask:
    return rules.next_ask(
        row.status, turns=row.turns, first_sent_at=row.first_sent_at, may_replay=_may_replay(row)
    )


def _may_replay(row: Any) -> bool:
    window = gateway_named(row.gateway_name).replay_window
    return rules.may_replay(row.first_sent_at, row.now, window)


def _question(row: Any, ask: Ask) -> Question:
    return Question(
        ask=ask,
        previous=row.status,
        is_resend=row.first_sent_at is not None,
        may_replay=_may_replay(row),
        expected=Money(row.amount_minor, row.currency),
        turns=row.turns + 1,
    )


def _as_move(row: Any, ask: Ask) -> RowMove:
    """The claim: a new fence, a lease longer than the longest call, and the stamp of sending."""
    lease_s = gateway_named(row.gateway_name).timeout_s + 2 * current().lease_margin_s
    sends = ask is Ask.SEND
    return RowMove(
        row.id,
        row.status,
        AttemptStatus.INFLIGHT,
        because="claimed, to be sent" if sends else "claimed, to be inquired",
        fence=row.fence,
        also={
            "fence": row.fence + 1,
            "turns": row.turns + 1,
            "leased_until": row.now + timedelta(seconds=lease_s),
            "first_sent_at": _first_sent_at(row, ask),
            "last_sent_at": row.now,
        },
        detail={"fence": row.fence + 1},
    )


def _first_sent_at(row: Any, ask: Ask) -> datetime | None:
    first: datetime | None = row.first_sent_at or (row.now if ask is Ask.SEND else None)
    return first


def _body(row: Any) -> bytes:
    return unseal(row.request_sealed, context=request_context(row.idempotency_key)).encode()


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
