"""A customer's payment methods: added, made the default, blocked, replaced, found expired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import update

from opsapp.customers import queries, rules
from opsapp.customers.errors import MethodNotBlockable, MethodNotUsable, MethodOfAnother
from opsapp.customers.events import MethodReplaced
from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import KINDS, METHOD, MethodStatus
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.events import announce
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record, record_many
from opsapp.kernel.states import RowMove

VIRTUAL_ACCOUNT = "virtual_account"


@dataclass(frozen=True, slots=True)
class NewMethod:
    """`auth_key` is the gateway's one-time key of the registration; an account needs none.

    `expires_on` is the last day of the card's month. `is_over`: of a contract that had ended
    before it came to us; kept for the record and never registered. `replaces_id`: the method whose
    place it takes once it is active, `link_id`: by which it was given. `idempotency_key`: under
    which the gateway is asked, where the same wish may be told twice. Raises Invalid.
    """

    customer_id: int
    kind: str
    gateway_name: str = "toss"
    auth_key: str | None = None
    is_default: bool = False
    expires_on: date | None = None
    is_over: bool = False
    replaces_id: int | None = None
    link_id: int | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Invalid(field="method", reason=f"{self.kind!r} is not one of {', '.join(KINDS)}.")
        if self.kind == VIRTUAL_ACCOUNT or self.is_over:
            return
        if not self.auth_key:
            raise Invalid(field="auth_key", reason="is missing: register the method again.")
        if len(self.auth_key) > rules.AUTH_KEY_LENGTH_MAX:
            reason = f"is longer than {rules.AUTH_KEY_LENGTH_MAX} characters."
            raise Invalid(field="auth_key", reason=reason)


@within_transaction
def add_methods(wishes: Sequence[NewMethod], *, by: Actor) -> list[int]:
    """Ids in the order of the wishes. What needs a billing key waits for customers.issuing.

    A default takes the place of the one before; of several in one call the last one counts.
    """
    default_of = {w.customer_id: i for i, w in enumerate(wishes) if w.is_default}
    if default_of:
        _clear_default(list(default_of))
    rows = [_row(w, is_default=default_of.get(w.customer_id) == i) for i, w in enumerate(wishes)]
    written = bulk_insert(PaymentMethod, rows, returning=("ref", "id"))
    id_of = {row.ref: row.id for row in written}
    ids = [id_of[row["ref"]] for row in rows]
    record_many(
        [
            Entry("payment_method.requested", "payment_method", id_, detail={"kind": w.kind})
            for id_, w in zip(ids, wishes, strict=True)
        ],
        by=by,
    )
    _settle_at_once(list(zip(ids, wishes, strict=True)), by=by)
    return ids


@within_transaction
def set_default(method_id: int, *, because: str = "", by: Actor) -> None:
    """Raises NotFound, MethodNotUsable."""
    method = queries.lock_method(method_id)
    if method.status != MethodStatus.ACTIVE:
        raise MethodNotUsable(status=method.status)
    _clear_default([method.customer_id])
    method.is_default = True
    entry = Entry("payment_method.made_default", "payment_method", method_id, because=because)
    record(entry, by=by)


@within_transaction
def block(method_id: int, *, because: str, by: Actor) -> None:
    """Never charged until somebody lifts it; what is at the gateway already goes on to its end.

    Raises NotFound, MethodNotBlockable.
    """
    method = queries.lock_method(method_id)
    if not METHOD.allows(method.status, MethodStatus.BLOCKED):
        raise MethodNotBlockable(status=method.status)
    METHOD.move(method, MethodStatus.BLOCKED, because=because, by=by)
    method.is_default = False
    method.blocked_because = because


@within_transaction
def unblock(method_id: int, *, because: str, by: Actor) -> None:
    """Raises NotFound, MethodNotBlockable."""
    method = queries.lock_method(method_id)
    if method.status != MethodStatus.BLOCKED:
        raise MethodNotBlockable(status=method.status)
    METHOD.move(method, MethodStatus.ACTIVE, because=because, by=by)
    method.blocked_because = None


@within_transaction
def replace(method_id: int, *, by_method_id: int, because: str = "", by: Actor) -> None:
    """The other method takes over whatever is charged to this one, and its place as the default.

    Raises NotFound, MethodOfAnother, MethodNotUsable.
    """
    if method_id == by_method_id:
        raise Invalid(field="by_method", reason="Choose another payment method than this one.")
    found = queries.list_methods_by_id([method_id, by_method_id])
    for wanted in (method_id, by_method_id):
        if wanted not in found:
            raise NotFound(noun="payment method", id=wanted)
    new = found[by_method_id]
    if new.customer_id != found[method_id].customer_id:
        raise MethodOfAnother(field="by_method")
    if new.status != MethodStatus.ACTIVE:
        raise MethodNotUsable(field="by_method", status=new.status)
    # Before any method is locked: whoever is charged locks payments first (house order).
    announce(MethodReplaced(method_id, by_method_id, new.customer_id, by.kind, by.name))
    old, new = queries.lock_methods(sorted([method_id, by_method_id]))
    if old.id != method_id:
        old, new = new, old
    was_default, old.replaced_by_id = old.is_default, new.id
    new.replaced_by_id = None  # the chain of who took whose place has one end
    record(
        Entry(
            "payment_method.replaced",
            "payment_method",
            method_id,
            because=because,
            detail={"by_method_id": by_method_id},
        ),
        by=by,
    )
    if was_default:
        set_default(by_method_id, because=because, by=by)


@within_transaction
def mark_expired(method_ids: Sequence[int], *, because: str, by: Actor) -> int:
    """Returns how many were active until now."""
    methods = queries.lock_methods(method_ids)
    return _expire(methods, because=because, by=by)


def _settle_at_once(added: Sequence[tuple[int, NewMethod]], *, by: Actor) -> None:
    """What needs no billing key is ready, or over, from the first moment."""
    because = "needs no billing key: an account is issued per payment"
    over = "its contract had ended before it came to us"
    moves = [
        RowMove(method_id, METHOD.start, MethodStatus.DELETED, over)
        if wish.is_over
        else RowMove(method_id, METHOD.start, MethodStatus.ACTIVE, because)
        for method_id, wish in added
        if wish.is_over or wish.kind == VIRTUAL_ACCOUNT
    ]
    METHOD.move_many(PaymentMethod, moves, by=by)


def _expire(methods: Sequence[PaymentMethod], *, because: str, by: Actor) -> int:
    moves = [
        RowMove(method.id, method.status, MethodStatus.EXPIRED, because)
        for method in methods
        # An account is issued anew for each payment, so it cannot expire.
        if method.status == MethodStatus.ACTIVE and method.kind != VIRTUAL_ACCOUNT
    ]
    return len(METHOD.move_many(PaymentMethod, moves, by=by))


def _clear_default(customer_ids: Sequence[int]) -> None:
    theirs = PaymentMethod.customer_id.in_(customer_ids)
    db.session.execute(
        update(PaymentMethod)
        .where(theirs, PaymentMethod.is_default)
        .values(is_default=False)
        .execution_options(synchronize_session="fetch")
    )


def _row(wish: NewMethod, *, is_default: bool) -> dict[str, Any]:
    ref = new_ref("pm")
    return {
        "ref": ref,
        "customer_id": wish.customer_id,
        "gateway_name": wish.gateway_name,
        "kind": wish.kind,
        "status": METHOD.start.value,
        "is_default": is_default,
        "auth_key_sealed": wish.auth_key
        and seal(wish.auth_key, context=queries.auth_key_context(ref)),
        "idempotency_key": wish.idempotency_key or new_ref("bk"),
        "label": "",
        "expires_on": wish.expires_on,
        "replaces_id": wish.replaces_id,
        "link_id": wish.link_id,
    }
