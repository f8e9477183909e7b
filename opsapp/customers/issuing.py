"""Billing keys: claim methods, ask the gateway, write down the answers. One or thousands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

import structlog

from opsapp.customers import queries, rules
from opsapp.customers.events import MethodFact, MethodsIssued, MethodsRefused, MethodsStuck
from opsapp.customers.models import PaymentMethod
from opsapp.customers.queries import IssuableMethod
from opsapp.customers.states import METHOD, MethodStatus
from opsapp.gateways import registry
from opsapp.gateways.base import Answer, BillingKeyRequest, Outcome, as_log_fields
from opsapp.gateways.registry import gateway_named
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import blind_index, seal, unseal
from opsapp.kernel.db import owns_transactions, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.settings import current

log = structlog.get_logger(__name__)

_STUCK = "no certain answer in many turns"


@dataclass(frozen=True, slots=True)
class Claim:
    method_id: int
    method_ref: str
    customer_id: int
    kind: str
    fence: int
    turns: int
    gateway_name: str
    request: BillingKeyRequest
    call_before: float  # monotonic; later than this the lease might not outlive the call


@owns_transactions
def issue_billing_keys(method_ids: Sequence[int], *, by: Actor) -> None:
    """Give each method one turn at its gateway."""
    take_turns(
        method_ids,
        Steps(
            claim=partial(_claim, by=by),
            call=_call,
            record=partial(_record, by=by),
            connected=registry.connected,
        ),
        abreast=min(gateway.abreast_max for gateway in registry.all_gateways()),
        budget_s=current().chunk_budget_s,
    )


@within_transaction
def ask_again(method_id: int, *, by: Actor) -> None:
    """Staff send the same request once more. Raises NotFound, IllegalMove."""
    method = queries.lock_method(method_id)
    METHOD.move(method, MethodStatus.REQUESTED, because="staff ask again", by=by)
    method.turns = 0
    method.due_at = clock.now()
    method.hinted_at = None


def _claim(method_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    rows = queries.lock_issuable(method_ids)
    spent = [row.method for row in rows if row.method.turns >= rules.TURNS_MAX]
    _hand_to_staff(spent, by=by)
    fresh = [row for row in rows if row.method.turns < rules.TURNS_MAX]
    margin_s, clock_s = current().lease_margin_s, monotonic()
    claims = [_claim_of(row, call_before=clock_s + margin_s) for row in fresh]
    METHOD.move_many(PaymentMethod, [_claiming(row, margin_s) for row in fresh], by=by)
    return claims


def _claim_of(row: IssuableMethod, *, call_before: float) -> Claim:
    method = row.method
    if method.auth_key_sealed is None:
        raise ValueError(f"payment method {method.id} has no auth key to be registered with")
    return Claim(
        method_id=method.id,
        method_ref=method.ref,
        customer_id=method.customer_id,
        kind=method.kind,
        fence=method.fence + 1,
        turns=method.turns + 1,
        gateway_name=method.gateway_name,
        request=BillingKeyRequest(
            customer_key=unseal(
                row.customer_key_sealed, context=queries.customer_key_context(row.customer_ref)
            ),
            auth_key=unseal(method.auth_key_sealed, context=queries.auth_key_context(method.ref)),
            # The same key for every turn: a repeat of an answered request issues nothing new.
            idempotency_key=method.idempotency_key,
        ),
        call_before=call_before,
    )


def _claiming(row: IssuableMethod, margin_s: float) -> RowMove:
    method = row.method
    lease = timedelta(seconds=gateway_named(method.gateway_name).timeout_s + 2 * margin_s)
    return RowMove(
        method.id,
        method.status,
        MethodStatus.ISSUING,
        "claimed; the gateway is asked for a billing key",
        fence=method.fence,
        also={
            "fence": method.fence + 1,
            "turns": method.turns + 1,
            "leased_until": row.now + lease,
        },
    )


async def _call(claim: Claim) -> Answer:
    if monotonic() > claim.call_before:
        return Answer(Outcome.NOT_SENT)
    return await gateway_named(claim.gateway_name).issue_billing_key(claim.request)


def _record(answers: Sequence[tuple[Claim, Answer]], *, by: Actor) -> None:
    now = clock.now()
    moves, news = [], []
    for claim, answer in answers:
        gateway = gateway_named(claim.gateway_name)
        verdict = rules.judge(
            answer, turns=claim.turns, honours_keys=gateway.replay_window is not None
        )
        moves.append(
            RowMove(
                claim.method_id,
                MethodStatus.ISSUING,
                verdict.status,
                verdict.because,
                fence=claim.fence,
                also={
                    "leased_until": None,
                    "due_at": now + verdict.wait,
                    "turns": claim.turns if verdict.was_sent else claim.turns - 1,
                    "refused_code": answer.code,
                }
                | _keys(claim, answer, verdict.status),
                detail=as_log_fields(answer),
            )
        )
        news.append((verdict.status, _fact(claim, answer)))
    moved = METHOD.move_many(PaymentMethod, moves, by=by)
    for claim, _ in answers:
        if claim.method_id not in moved:
            log.warning("customers.late_answer_discarded", method_id=claim.method_id)
    _announce([(status, fact) for status, fact in news if fact.method_id in moved])


def _keys(claim: Claim, answer: Answer, status: MethodStatus) -> dict[str, Any]:
    """The billing key if there is one; the one-time key stays only if it will be sent again."""
    key = answer.billing_key if status is MethodStatus.ACTIVE else None
    is_over = status in (MethodStatus.ACTIVE, MethodStatus.REFUSED)
    context = queries.billing_key_context(claim.method_ref)
    auth_context = queries.auth_key_context(claim.method_ref)
    return {
        "auth_key_sealed": None if is_over else seal(claim.request.auth_key, context=auth_context),
        "billing_key_sealed": seal(key.billing_key, context=context) if key else None,
        "billing_key_index": blind_index(key.billing_key) if key else None,
        "label": key.label if key else "",
        "first6": key.first6 if key else None,
        "last4": key.last4 if key else None,
    }


def _fact(claim: Claim, answer: Answer) -> MethodFact:
    return MethodFact(claim.method_id, claim.customer_id, claim.kind, answer.code)


def _announce(news: Sequence[tuple[MethodStatus, MethodFact]]) -> None:
    for status, event in (
        (MethodStatus.ACTIVE, MethodsIssued),
        (MethodStatus.REFUSED, MethodsRefused),
        (MethodStatus.NEEDS_HUMAN, MethodsStuck),
    ):
        if facts := tuple(fact for reached, fact in news if reached is status):
            announce(event(facts))


def _hand_to_staff(methods: Sequence[PaymentMethod], *, by: Actor) -> None:
    """A worker that dies again and again on the same row must not do so for ever."""
    moves = [
        RowMove(m.id, m.status, MethodStatus.NEEDS_HUMAN, _STUCK, also={"leased_until": None})
        for m in methods
    ]
    moved = METHOD.move_many(PaymentMethod, moves, by=by)
    facts = [MethodFact(m.id, m.customer_id, m.kind) for m in methods if m.id in moved]
    _announce([(MethodStatus.NEEDS_HUMAN, fact) for fact in facts])
