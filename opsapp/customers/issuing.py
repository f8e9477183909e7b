"""Billing keys: what the gateway answered about registrations and deletions is written down."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog

from opsapp.customers import claiming, deleting, queries, rules
from opsapp.customers.claiming import Claim
from opsapp.customers.events import MethodFact, MethodsIssued, MethodsRefused, MethodsStuck
from opsapp.customers.models import PaymentMethod
from opsapp.customers.rules import Verdict
from opsapp.customers.states import METHOD, MethodStatus
from opsapp.failures import noting
from opsapp.gateways import registry
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, BillingKeyRequest, as_log_fields
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import blind_index, seal
from opsapp.kernel.db import owns_transactions, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.states import IllegalMove, RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.routing import tallying
from opsapp.settings import current

log = structlog.get_logger(__name__)


@owns_transactions
def issue_billing_keys(method_ids: Sequence[int], *, by: Actor) -> None:
    """Give each method one turn at its gateway: registered, or deleted if it is to be deleted."""
    take_turns(
        method_ids,
        Steps(
            claim=partial(claiming.claim, by=by),
            call=claiming.call,
            record=partial(_record, by=by),
            connected=registry.connected,
        ),
        abreast=min(gateway.abreast_max for gateway in registry.all_gateways()),
        budget_s=current().chunk_budget_s,
    )


@within_transaction
def ask_again(method_id: int, *, because: str = "staff ask again", by: Actor) -> None:
    """Staff send the same request once more. Raises NotFound, IllegalMove."""
    method = queries.lock_method(method_id)
    if method.status != MethodStatus.NEEDS_HUMAN:
        raise IllegalMove(f"payment method {method_id} is {method.status} and waits for nobody")
    wants_deletion = method.billing_key_sealed is not None
    wanted = MethodStatus.DELETING if wants_deletion else MethodStatus.REQUESTED
    METHOD.move(method, wanted, because=because, by=by)
    method.turns = 0
    method.due_at = clock.now()
    method.hinted_at = None


def _record(answers: Sequence[tuple[Claim, Answer]], *, by: Actor) -> None:
    deletions = [(claim, answer) for claim, answer in answers if claim.is_deletion]
    issues = [(claim, answer) for claim, answer in answers if not claim.is_deletion]
    moved = deleting.record_deletions(deletions, by=by) | _record_issues(issues, by=by)
    if late := [claim.method_id for claim, _ in answers if claim.method_id not in moved]:
        log.warning("customers.late_answers_discarded", method_ids=late)
    noting.note_unmapped(
        [
            (answer.unmapped_source, answer.code or "", None)
            for _, answer in answers
            if answer.unmapped_source is not None
        ]
    )
    # Circuits are locked last (house order).
    tallying.tally(
        [(c.gateway_name, f"payment method {c.method_id}", answer) for c, answer in answers], by=by
    )


def _record_issues(answers: Sequence[tuple[Claim, Answer]], *, by: Actor) -> frozenset[int]:
    judged = [(claim, answer, _judge(claim, answer)) for claim, answer in answers]
    moved = METHOD.move_many(PaymentMethod, [_move(*each) for each in judged], by=by)
    _announce(
        [
            (verdict.status, claim.fact(answer))
            for claim, answer, verdict in judged
            if claim.method_id in moved
        ]
    )
    return moved


def _judge(claim: Claim, answer: Answer) -> Verdict:
    honours_keys = gateway_named(claim.gateway_name).capabilities.replay_window is not None
    return rules.judge(answer, turns=claim.turns, honours_keys=honours_keys)


def _move(claim: Claim, answer: Answer, verdict: Verdict) -> RowMove:
    return RowMove(
        claim.method_id,
        MethodStatus.ISSUING,
        verdict.status,
        verdict.because,
        fence=claim.fence,
        also=deleting.turn_columns(claim, answer, verdict) | _keys(claim, answer, verdict.status),
        detail=as_log_fields(answer),
    )


def _keys(claim: Claim, answer: Answer, status: MethodStatus) -> dict[str, Any]:
    """The billing key if there is one; the one-time key stays only if it will be sent again."""
    assert isinstance(claim.request, BillingKeyRequest)  # noqa: S101 - told apart in _record
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
        # What the gateway tells is surer than what was typed.
        "expires_on": (key.expires_on if key else None) or claim.expires_on,
    }


def _announce(news: Sequence[tuple[MethodStatus, MethodFact]]) -> None:
    for status, event in (
        (MethodStatus.ACTIVE, MethodsIssued),
        (MethodStatus.REFUSED, MethodsRefused),
        (MethodStatus.NEEDS_HUMAN, MethodsStuck),
    ):
        if facts := tuple(fact for reached, fact in news if reached is status):
            announce(event(facts))
