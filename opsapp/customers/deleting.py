"""Deleting: a method that is not wanted any more goes at the gateway first, then its keys here."""

from collections.abc import Sequence
from typing import Any

from opsapp.customers import queries, rules, vetoing
from opsapp.customers.claiming import Claim
from opsapp.customers.errors import MethodInUse, MethodIsCharged
from opsapp.customers.events import DeletionsStuck, MethodFact, MethodsLost
from opsapp.customers.models import PaymentMethod
from opsapp.customers.rules import Verdict
from opsapp.customers.states import METHOD, MethodStatus
from opsapp.gateways.values import Answer, as_log_fields
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import blind_index
from opsapp.kernel.db import within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.states import RowMove

_WIPED: dict[str, Any] = {
    "is_default": False,
    "auth_key_sealed": None,
    "billing_key_sealed": None,
    "billing_key_index": None,
}


@within_transaction
def delete(method_id: int, *, because: str = "deleted", by: Actor) -> None:
    """From now on nothing is charged to it; its key is deleted at the gateway, then wiped here.

    Asked for once more it changes nothing. Raises NotFound, MethodInUse, MethodIsCharged.
    """
    method = queries.lock_method(method_id)
    if method.status in (MethodStatus.DELETED, MethodStatus.DELETING):
        return
    has_key = method.billing_key_sealed is not None
    target = MethodStatus.DELETING if has_key else MethodStatus.DELETED
    # What a person has to settle is asked again or found out, not deleted over their head.
    if method.status == MethodStatus.NEEDS_HUMAN or not METHOD.allows(method.status, target):
        raise MethodInUse(status=method.status)
    if vetoing.find_used([method_id]):
        raise MethodIsCharged
    METHOD.move(method, target, because=because, by=by)
    method.is_default = False
    if has_key:
        method.turns, method.due_at, method.hinted_at = 0, clock.now(), None
    else:
        _wipe(method)


@within_transaction
def note_deleted_at_gateway(billing_key: str, gateway_name: str, *, by: Actor) -> bool:
    """The gateway says that it has deleted a key; False if we have no such key.

    `by` is the gateway. Whoever could pay with it until now is told. A key that was deleted on
    our own order is just done.
    """
    method = queries.lock_method_by_key(gateway_name, blind_index(billing_key))
    if method is None or not METHOD.allows(method.status, MethodStatus.DELETED):
        return False
    was_usable = method.status == MethodStatus.ACTIVE
    METHOD.move(method, MethodStatus.DELETED, because="deleted at the gateway", by=by)
    method.leased_until = None
    _wipe(method)
    if was_usable:
        announce(MethodsLost((MethodFact(method.id, method.customer_id, method.kind),)))
    return True


@within_transaction
def record_deletions(answers: Sequence[tuple[Claim, Answer]], *, by: Actor) -> frozenset[int]:
    """Returns the ids that really moved. The key is kept until the gateway has none."""
    judged = [(c, a, rules.judge_deletion(a, turns=c.turns)) for c, a in answers]
    done = [_move(*each, _WIPED) for each in judged if each[2].status is MethodStatus.DELETED]
    going = [_move(*each, {}) for each in judged if each[2].status is not MethodStatus.DELETED]
    moved = METHOD.move_many(PaymentMethod, done, by=by) | METHOD.move_many(
        PaymentMethod, going, by=by
    )
    stuck = tuple(
        claim.fact(answer)
        for claim, answer, verdict in judged
        if verdict.status is MethodStatus.NEEDS_HUMAN and claim.method_id in moved
    )
    if stuck:
        announce(DeletionsStuck(stuck))
    return moved


def turn_columns(claim: Claim, answer: Answer, verdict: Verdict) -> dict[str, Any]:
    """What the end of a turn writes, whatever the turn was for."""
    return {
        "leased_until": None,
        "due_at": clock.now() + verdict.wait,
        "turns": claim.turns if verdict.was_sent else claim.turns - 1,
        "refused_code": answer.code,
    }


def _move(claim: Claim, answer: Answer, verdict: Verdict, wiped: dict[str, Any]) -> RowMove:
    return RowMove(
        claim.method_id,
        MethodStatus.DELETING,
        verdict.status,
        verdict.because,
        fence=claim.fence,
        also=turn_columns(claim, answer, verdict) | wiped,
        detail=as_log_fields(answer),
    )


def _wipe(method: PaymentMethod) -> None:
    method.is_default = False
    method.auth_key_sealed = None
    method.billing_key_sealed = None
    method.billing_key_index = None
