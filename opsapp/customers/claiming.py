"""Claiming: a payment method in a worker's hand, to be registered or deleted at its gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from time import monotonic

from opsapp.customers import queries, rules
from opsapp.customers.events import DeletionsStuck, MethodFact, MethodsStuck
from opsapp.customers.models import PaymentMethod
from opsapp.customers.queries import ClaimableMethod
from opsapp.customers.states import METHOD, MethodStatus
from opsapp.failures import loading
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, BillingKeyDeletion, BillingKeyRequest, Outcome
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.states import RowMove
from opsapp.routing import resting
from opsapp.settings import current

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
    expires_on: date | None
    request: BillingKeyRequest | BillingKeyDeletion
    call_before: float  # monotonic; later than this the lease might not outlive the call

    @property
    def is_deletion(self) -> bool:
        return isinstance(self.request, BillingKeyDeletion)

    def fact(self, answer: Answer) -> MethodFact:
        return MethodFact(self.method_id, self.customer_id, self.kind, answer.code)


@within_transaction
def claim(method_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    loading.refresh()
    rows = queries.lock_claimable(method_ids)
    parted = resting.part([row.method for row in rows])
    _postpone(parted.waiting)
    going = {method.id for method in parted.going}
    rows = [row for row in rows if row.method.id in going]
    hand_to_staff([row.method for row in rows if row.method.turns >= rules.TURNS_MAX], by=by)
    fresh = [row for row in rows if row.method.turns < rules.TURNS_MAX]
    margin_s, clock_s = current().lease_margin_s, monotonic()
    claims = [_claim_of(row, call_before=clock_s + margin_s) for row in fresh]
    METHOD.move_many(PaymentMethod, [_claiming(row, margin_s) for row in fresh], by=by)
    return claims


async def call(claimed: Claim) -> Answer:
    if monotonic() > claimed.call_before:
        return Answer(Outcome.NOT_SENT)
    gateway = gateway_named(claimed.gateway_name)
    if isinstance(claimed.request, BillingKeyDeletion):
        return await gateway.delete_billing_key(claimed.request)
    return await gateway.issue_billing_key(claimed.request)


@within_transaction
def hand_to_staff(methods: Sequence[PaymentMethod], *, by: Actor) -> None:
    """A worker that dies again and again on the same row must not do so for ever."""
    moves = [
        RowMove(m.id, m.status, MethodStatus.NEEDS_HUMAN, _STUCK, also={"leased_until": None})
        for m in methods
    ]
    moved = METHOD.move_many(PaymentMethod, moves, by=by)
    stuck = [(m.status, MethodFact(m.id, m.customer_id, m.kind)) for m in methods if m.id in moved]
    if undeleted := tuple(fact for was, fact in stuck if was == MethodStatus.DELETING):
        announce(DeletionsStuck(undeleted))
    if unissued := tuple(fact for was, fact in stuck if was != MethodStatus.DELETING):
        announce(MethodsStuck(unissued))


def _postpone(waiting: Mapping[timedelta, Sequence[int]]) -> None:
    """A gateway that is not well is left alone; such a row has taken no turn."""
    now = clock.now()
    rows = [
        {"id": method_id, "due_at": now + rest, "hinted_at": None}
        for rest, ids in waiting.items()
        for method_id in ids
    ]
    bulk_update(PaymentMethod, rows)


def _claim_of(row: ClaimableMethod, *, call_before: float) -> Claim:
    method = row.method
    is_deletion = method.status == MethodStatus.DELETING
    return Claim(
        method_id=method.id,
        method_ref=method.ref,
        customer_id=method.customer_id,
        kind=method.kind,
        fence=method.fence + 1,
        turns=method.turns + 1,
        gateway_name=method.gateway_name,
        expires_on=method.expires_on,
        request=_deletion(method) if is_deletion else _registration(row),
        call_before=call_before,
    )


def _registration(row: ClaimableMethod) -> BillingKeyRequest:
    method = row.method
    if method.auth_key_sealed is None:
        raise ValueError(f"payment method {method.id} has no auth key to be registered with")
    context = queries.customer_key_context(row.customer_ref)
    return BillingKeyRequest(
        customer_key=unseal(row.customer_key_sealed, context=context),
        auth_key=unseal(method.auth_key_sealed, context=queries.auth_key_context(method.ref)),
        # The same key for every turn: a repeat of an answered request issues nothing new.
        idempotency_key=method.idempotency_key,
    )


def _deletion(method: PaymentMethod) -> BillingKeyDeletion:
    if method.billing_key_sealed is None:
        raise ValueError(f"payment method {method.id} has no billing key to be deleted")
    return BillingKeyDeletion(
        billing_key=unseal(
            method.billing_key_sealed, context=queries.billing_key_context(method.ref)
        ),
        idempotency_key=f"{method.idempotency_key}_delete",
    )


def _claiming(row: ClaimableMethod, margin_s: float) -> RowMove:
    method = row.method
    is_deletion = method.status == MethodStatus.DELETING
    lease = timedelta(seconds=gateway_named(method.gateway_name).timeout_s + 2 * margin_s)
    wish = "delete the billing key" if is_deletion else "issue a billing key"
    return RowMove(
        method.id,
        method.status,
        MethodStatus.DELETING if is_deletion else MethodStatus.ISSUING,
        f"claimed; the gateway is asked to {wish}",
        fence=method.fence,
        also={
            "fence": method.fence + 1,
            "turns": method.turns + 1,
            "leased_until": row.now + lease,
        },
    )
