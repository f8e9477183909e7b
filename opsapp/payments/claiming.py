"""Claiming: what an attempt and a refund have in common when a worker takes one in hand."""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, update

from opsapp.gateways import registry
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel.db import db
from opsapp.kernel.money import Money
from opsapp.payments import rules
from opsapp.payments.rules import Ask, Question
from opsapp.routing.resting import part
from opsapp.settings import current

log = structlog.get_logger(__name__)


def abreast_max() -> int:
    """Calls in flight that suit every gateway of this installation."""
    return min((gateway.abreast_max for gateway in registry.all_gateways()), default=1)


def pass_over_resting(model: type[Any], rows: Sequence[Any]) -> list[Any]:
    """Rows whose gateway may be asked now; the others wait until its circuit lets them through."""
    parted = part(rows)
    for rest, ids in parted.waiting.items():
        put_off = update(model).where(model.id.in_(ids))
        db.session.execute(put_off.values(due_at=func.ops_now() + rest, hinted_at=None))
    return parted.going


def may_replay(row: Any) -> bool:
    """Whether the gateway still answers the row's key with its first answer."""
    window = gateway_named(row.gateway_name).capabilities.replay_window
    return rules.may_replay(row.first_sent_at, row.now, window)


def question(
    row: Any,
    ask: Ask,
    *,
    may_replay: bool,
    previous: str | None = None,
    is_contradicted: bool = False,
    is_given_up: bool = False,
    is_window_over: bool = False,
) -> Question:
    return Question(
        ask=ask,
        previous=previous or row.status,
        is_resend=row.first_sent_at is not None,
        may_replay=may_replay,
        expected=Money(row.amount_minor, row.currency),
        turns=row.turns + 1,
        misses=row.misses,
        is_contradicted=is_contradicted,
        is_given_up=is_given_up,
        is_window_over=is_window_over,
        confirms_on_return=gateway_named(row.gateway_name).capabilities.confirms_on_return,
    )


def first_sent_at(row: Any, ask: Ask) -> datetime | None:
    """Stamped in the claim of a turn that will send, hence committed before anything leaves."""
    first: datetime | None = row.first_sent_at or (row.now if ask is Ask.SEND else None)
    return first


def lease(row: Any, ask: Ask) -> dict[str, Any]:
    """Columns of a claim: a new fence, and a lease longer than the longest call."""
    lease_s = gateway_named(row.gateway_name).timeout_s + 2 * current().lease_margin_s
    return {
        "fence": row.fence + 1,
        "turns": row.turns + 1,
        "leased_until": row.now + timedelta(seconds=lease_s),
        "first_sent_at": first_sent_at(row, ask),
    }


async def understood(call: Awaitable[Answer], **subject: int) -> Answer:
    """The answer, or the plain fact that the adapter broke: then nothing is known."""
    try:
        return await call
    except Exception as trouble:
        log.exception("payments.adapter_failed", **subject)
        return Answer(Outcome.UNKNOWN, f"the adapter failed ({type(trouble).__name__})")
