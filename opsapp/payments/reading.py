"""Reading: messages that wait to be looked into, and what our books say of whom they are about."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import and_, case, func, or_, select

from opsapp.gateways.values import WebhookMessage
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import db, locked
from opsapp.kernel.money import Money
from opsapp.kernel.turns import is_claimable
from opsapp.payments.judging import Held
from opsapp.payments.models import (
    Attempt,
    Decision,
    Deposit,
    GatewayEvent,
    Payment,
    Refund,
    UnmatchedMoney,
)
from opsapp.payments.states import EVENT_OPEN, REFUND_GOING, EventStatus, RefundStatus


def find_subject(
    gateway_name: str, *, gateway_order_id: str | None, gateway_key: str | None
) -> Any | None:
    """The attempt that a message is about, by our number or else by the gateway's."""
    names = _names(gateway_order_id, gateway_key)
    if not names:
        return None
    by_our_number = case((Attempt.gateway_order_id == (gateway_order_id or ""), 0), else_=1)
    found = (
        select(Attempt.id, Attempt.idempotency_key, Attempt.account_sealed, Attempt.gateway_key)
        .where(Attempt.gateway_name == gateway_name, or_(*names))
        .order_by(by_our_number, Attempt.id)
        .limit(1)
    )
    return db.session.execute(found).one_or_none()


def body_context(delivery_id: str) -> str:
    return f"gateway_events.body|{delivery_id}"


def wrap(message: WebhookMessage, body: bytes) -> str:
    """What is sealed of a message: its body as it came, and what was read in it at the door."""
    said = asdict(replace(message, secret=None))
    return json.dumps({"said": said, "body": body.decode()}, ensure_ascii=False)


def unwrap(body_sealed: bytes, delivery_id: str) -> tuple[WebhookMessage | None, str]:
    """The message and the body. None for one that was kept before messages were."""
    text = unseal(body_sealed, context=body_context(delivery_id))
    kept = json.loads(text)
    if not isinstance(kept, dict) or kept.keys() != {"said", "body"}:
        return None, text
    return WebhookMessage(**kept["said"]), kept["body"]


def lock_attempts_of(event_ids: Sequence[int]) -> list[Any]:
    """Whom these events are about. While they are held nobody else takes up such an event.

    Those whose turn is just being written down are passed over.
    """
    named = select(GatewayEvent.attempt_id).where(GatewayEvent.id.in_(event_ids))
    wanted = (
        select(
            Attempt.id,
            Attempt.payment_id,
            Attempt.status,
            Attempt.flow,
            Attempt.gateway_order_id,
            Attempt.gateway_key,
            Payment.customer_id,
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(Attempt.id.in_(named))
        .order_by(Attempt.id)
    )
    return list(db.session.execute(locked(wanted, of=Attempt, skip=True)))


def lock_claimable_events(event_ids: Sequence[int], attempt_ids: Sequence[int]) -> list[Any]:
    """The events that nobody holds: all that wait about these attempts, and those about none."""
    about_none = and_(GatewayEvent.id.in_(event_ids), GatewayEvent.attempt_id.is_(None))
    claimable = (
        select(
            GatewayEvent.id,
            GatewayEvent.gateway_name,
            GatewayEvent.delivery_id,
            GatewayEvent.event_type,
            GatewayEvent.body_sealed,
            GatewayEvent.attempt_id,
            GatewayEvent.status,
            GatewayEvent.fence,
            GatewayEvent.turns,
            GatewayEvent.misses,
            func.clock_timestamp().label("now"),
            func.ops_now().label("business_now"),
        )
        .where(
            or_(about_none, GatewayEvent.attempt_id.in_(attempt_ids)),
            GatewayEvent.status.in_([status.value for status in EVENT_OPEN]),
            is_claimable(GatewayEvent),
        )
        .order_by(GatewayEvent.id)
    )
    return list(db.session.execute(locked(claimable, skip=True)))


def list_in_hand(attempt_ids: Sequence[int]) -> frozenset[int]:
    """Attempts about which a worker is asking just now because of an earlier event."""
    asked = select(GatewayEvent.attempt_id).where(
        GatewayEvent.attempt_id.in_(attempt_ids),
        GatewayEvent.status == EventStatus.READING.value,
        GatewayEvent.leased_until > func.clock_timestamp(),
    )
    return frozenset(row for row in db.session.scalars(asked) if row is not None)


def list_named(messages: Mapping[int, tuple[str, WebhookMessage]]) -> dict[int, int]:
    """By event: the attempt it is about after all, as it was not known when the event came."""
    names = {
        event_id: (gateway_name, said.gateway_order_id, said.gateway_key)
        for event_id, (gateway_name, said) in messages.items()
        if said.gateway_order_id or said.gateway_key
    }
    if not names:
        return {}
    is_named = or_(
        Attempt.gateway_order_id.in_([order_id for _, order_id, _ in names.values() if order_id]),
        Attempt.gateway_key.in_([key for _, _, key in names.values() if key]),
    )
    columns = (Attempt.id, Attempt.gateway_name, Attempt.gateway_order_id, Attempt.gateway_key)
    by_name: dict[tuple[str, str], int] = {}
    for row in db.session.execute(select(*columns).where(is_named)):
        by_name[row.gateway_name, row.gateway_order_id] = row.id
        if row.gateway_key:
            by_name.setdefault((row.gateway_name, row.gateway_key), row.id)
    found = {
        event_id: by_name.get((gateway_name, order_id or ""))
        or by_name.get((gateway_name, key or ""))
        for event_id, (gateway_name, order_id, key) in names.items()
    }
    return {event_id: attempt_id for event_id, attempt_id in found.items() if attempt_id}


def lock_attempts(attempt_ids: Iterable[int]) -> dict[int, Any]:
    """Their payments are locked already (house order)."""
    columns = (Attempt.id, Attempt.status, Attempt.turns)
    wanted = select(*columns).where(Attempt.id.in_(set(attempt_ids))).order_by(Attempt.id)
    return {row.id: row for row in db.session.execute(locked(wanted))}


def lock_events_in_hand(fences: Mapping[int, int]) -> frozenset[int]:
    """Of the claimed events those that are still ours: the same fence, and the lease goes on.

    An answer that outlived its lease is older than what somebody else may have asked since.
    """
    wanted = (
        select(GatewayEvent.id, GatewayEvent.fence)
        .where(
            GatewayEvent.id.in_(fences),
            GatewayEvent.status == EventStatus.READING.value,
            GatewayEvent.leased_until > func.clock_timestamp(),
        )
        .order_by(GatewayEvent.id)
    )
    rows = db.session.execute(locked(wanted))
    return frozenset(row.id for row in rows if row.fence == fences[row.id])


def lock_ended_events(event_ids: Sequence[int]) -> list[Any]:
    """Those of them that were looked into to the end, or handed to a person."""
    open_statuses = [status.value for status in EVENT_OPEN]
    wanted = (
        select(GatewayEvent.id, GatewayEvent.status)
        .where(GatewayEvent.id.in_(event_ids), GatewayEvent.status.not_in(open_statuses))
        .order_by(GatewayEvent.id)
    )
    return list(db.session.execute(locked(wanted)))


def read_held(attempt_ids: Iterable[int]) -> dict[int, Held]:
    """What we hold to be true of attempts that have ended, or that wait for a person."""
    wanted = set(attempt_ids)
    if not wanted:
        return {}
    attempts = db.session.execute(
        select(
            Attempt.id,
            Attempt.status,
            Attempt.close_because,
            Payment.status.label("payment_status"),
            Payment.amount_minor,
            Payment.currency,
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(Attempt.id.in_(wanted))
    ).all()
    refunds, deposits = _read_refunds(wanted), _read_deposits(wanted)
    late, decided = _read_late(wanted), _list_decided(wanted)
    return {
        row.id: Held(
            status=row.status,
            payment_status=row.payment_status,
            expected=Money(row.amount_minor, row.currency),
            is_closed=row.close_because is not None,
            has_deposits=row.id in deposits,
            deposited_minor=deposits.get(row.id, 0),
            late_minor=late.get(row.id, 0),
            is_decided=row.id in decided,
            **refunds.get(row.id, {}),
        )
        for row in attempts
    }


def _names(gateway_order_id: str | None, gateway_key: str | None) -> list[Any]:
    names: list[Any] = []
    if gateway_order_id:
        names.append(Attempt.gateway_order_id == gateway_order_id)
    if gateway_key:
        names.append(Attempt.gateway_key == gateway_key)
    return names


def _read_refunds(attempt_ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = db.session.execute(
        select(Refund.id, Refund.attempt_id, Refund.status, Refund.amount_minor).where(
            Refund.attempt_id.in_(attempt_ids),
            Refund.status.not_in([RefundStatus.REFUSED.value, RefundStatus.WITHDRAWN.value]),
        )
    )
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        held = found[row.attempt_id]
        if row.status == RefundStatus.SUCCEEDED:
            held["refunded_minor"] = held.get("refunded_minor", 0) + row.amount_minor
        elif row.status in REFUND_GOING:
            held["has_open_refund"] = True
        elif row.status == RefundStatus.NEEDS_HUMAN:
            held["stuck_refund_id"] = row.id
        else:
            held["has_planned_refund"] = True
    return found


def _read_deposits(attempt_ids: set[int]) -> dict[int, int]:
    total = func.sum(Deposit.amount_minor)
    rows = db.session.execute(
        select(Deposit.attempt_id, total.label("minor"))
        .where(Deposit.attempt_id.in_(attempt_ids))
        .group_by(Deposit.attempt_id)
    )
    return {row.attempt_id: int(row.minor) for row in rows}


def _read_late(attempt_ids: set[int]) -> dict[int, int]:
    rows = db.session.execute(
        select(UnmatchedMoney.attempt_id, UnmatchedMoney.amount_minor).where(
            UnmatchedMoney.attempt_id.in_(attempt_ids), UnmatchedMoney.deposit_id.is_(None)
        )
    )
    return {row.attempt_id: row.amount_minor for row in rows}


def _list_decided(attempt_ids: set[int]) -> frozenset[int]:
    """Where a person, not the gateway, found that the money had moved."""
    found = select(Decision.subject_id).where(
        Decision.subject_type == "attempt",
        Decision.subject_id.in_(attempt_ids),
        Decision.outcome == "approved",
    )
    return frozenset(db.session.scalars(found))
