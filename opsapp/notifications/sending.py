"""Sending: what a customer is to be told is queued with its cause; a worker sends it (delivering).

A message goes out at least once; its reference goes along. Text and address are read when it is
sent, so the row holds no personal data.
"""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from opsapp.customers.events import MethodsLost, SignInsAsked
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.errors import NotFound
from opsapp.kernel.ids import new_ref
from opsapp.kernel.states import RowMove
from opsapp.notifications import queries, rules
from opsapp.notifications.delivering import SEALED, account_context
from opsapp.notifications.errors import CalledBack, NotEnded
from opsapp.notifications.events import DepositAccount, TellsOfPayments, TellsOfRefunds
from opsapp.notifications.models import Notice
from opsapp.notifications.states import ENDED, NOTICE, NoticeStatus
from opsapp.points.events import PointsExpiring

_REACTION = Actor("worker", "notifications.sending")
_SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class NewNotice:
    """`kind` is one of rules.KINDS; `values` fill its texts: ids, amounts, ISO days and moments.

    A kind with a link opens a page about the notice's own subject, or about
    `values["link_subject"]`: {"type": ..., "id": ...}. `not_before` is business time.
    """

    kind: str
    subject_type: str
    subject_id: int
    customer_id: int
    values: dict[str, Any]
    not_before: datetime | None = None
    place: int = 0  # in the kind's order of channels, from which one is looked for


@within_transaction
def queue_notices(wishes: Sequence[NewNotice], *, by: Actor) -> int:
    """Returns how many are new: a customer is told once per kind and subject."""
    if not wishes:
        return 0
    now = clock.now()
    queued = NOTICE.begin_many(
        Notice,
        [
            {
                "ref": new_ref("note"),
                "kind": wish.kind,
                "subject_type": wish.subject_type,
                "subject_id": wish.subject_id,
                "customer_id": wish.customer_id,
                "values": wish.values,
                "due_at": wish.not_before or now,
                "place": wish.place,
            }
            for wish in sorted(wishes, key=attrgetter("subject_type", "subject_id", "kind"))
        ],
        because="kind",
        by=by,
    )
    return len(queued)


@within_transaction
def revoke(
    kinds: Collection[str],
    subject_type: str,
    subject_ids: Sequence[int],
    *,
    because: str,
    by: Actor,
) -> int:
    """Call back what has not gone out; returns how many. Nothing of it goes out afterwards.

    What is at a channel this moment is let go, but neither tried again nor sent elsewhere.
    """
    if not subject_ids:
        return 0
    may_follow = (NoticeStatus.QUEUED, NoticeStatus.SENDING, NoticeStatus.SENT)
    rows = queries.lock_about(kinds, subject_type, subject_ids, may_follow)
    waiting = [row for row in rows if row.status == NoticeStatus.QUEUED]
    bulk_update(
        Notice,
        [
            {"id": row.id, "is_called_back": True}
            for row in rows
            if row.status != NoticeStatus.QUEUED
        ],
    )
    moves = [RowMove(row.id, row.status, NoticeStatus.REVOKED, because) for row in waiting]
    return len(NOTICE.move_many(Notice, moves, by=by))


@within_transaction
def send_again(
    kind: str,
    subject_type: str,
    subject_ids: Sequence[int],
    *,
    values: dict[str, Any] | None = None,
    by: Actor,
) -> int:
    """Let what has gone out, or could not, go out once more; returns how many.

    With `values` it tells something new: the same happened again.
    """
    rows = queries.lock_about([kind], subject_type, subject_ids, ENDED) if subject_ids else []
    return _queue_again(rows, also={} if values is None else {"values": values}, by=by)


@within_transaction
def send_one_again(notice_id: int, *, by: Actor) -> None:
    """Somebody asks for it, from the first of its channels on.

    Raises NotFound, NotEnded, CalledBack.
    """
    if queries.get_notice(notice_id) is None:
        raise NotFound(noun="notice", id=notice_id)
    ended = queries.lock_ended(notice_id)
    if ended is None:
        raise NotEnded
    if ended.is_called_back or ended.status == NoticeStatus.REVOKED:
        raise CalledBack
    _queue_again([ended], by=by)


def _queue_again(rows: Sequence[Any], *, also: dict[str, Any] | None = None, by: Actor) -> int:
    also = (also or {}) | {
        "turns": 0,
        "misses": 0,
        "place": 0,
        "due_at": clock.now(),
        "hinted_at": None,
        "error": None,
        "is_called_back": False,
    }
    moves = [
        RowMove(row.id, row.status, NoticeStatus.QUEUED, "asked for again", also=also)
        for row in rows
    ]
    return len(NOTICE.move_many(Notice, moves, by=by))


@within_transaction
def on_payments_paid(event: TellsOfPayments) -> None:
    """A receipt for each renewal: whoever buys in person sees it on the page."""
    at = clock.now().isoformat()
    queue_notices(
        [
            NewNotice(
                "payment_receipt",
                "payment",
                fact.payment_id,
                fact.customer_id,
                {"amount_minor": fact.amount_minor, "currency": fact.currency, "at": at},
            )
            for fact in event.payments
            if fact.subject_type == _SUBSCRIPTION
        ],
        by=_REACTION,
    )


@within_transaction
def on_payments_failed(event: TellsOfPayments) -> None:
    """Tell whose renewal failed for a reason of theirs; at a checkout they see it themselves."""
    at = clock.now().isoformat()
    queue_notices(
        [
            NewNotice(
                kind,
                "payment",
                fact.payment_id,
                fact.customer_id,
                {
                    "amount_minor": fact.amount_minor,
                    "currency": fact.currency,
                    "at": at,
                    "link_subject": {"type": "payment_method", "id": fact.payment_method_id},
                },
            )
            for fact in event.payments
            if fact.subject_type == _SUBSCRIPTION
            and fact.payment_method_id is not None
            and (kind := rules.failure_notice(fact.failure_class))
        ],
        by=_REACTION,
    )


@within_transaction
def on_deposits_awaited(event: TellsOfPayments) -> None:
    """Tell where to pay in; each attempt has an account of its own."""
    queue_notices(
        [
            NewNotice(
                "deposit_requested",
                "attempt",
                fact.attempt_id,
                fact.customer_id,
                {"amount_minor": fact.amount_minor, "currency": fact.currency}
                | _account_values(fact.attempt_id, fact.account),
            )
            for fact in event.payments
            if fact.account is not None
        ],
        by=_REACTION,
    )


@within_transaction
def on_refunds_made(event: TellsOfRefunds) -> None:
    at = clock.now().isoformat()
    queue_notices(
        [
            NewNotice(
                "refund_made",
                "refund",
                fact.refund_id,
                fact.customer_id,
                {"amount_minor": fact.amount_minor, "currency": fact.currency, "at": at},
            )
            for fact in event.refunds
        ],
        by=_REACTION,
    )


@within_transaction
def on_refund_accounts_asked(event: TellsOfRefunds) -> None:
    """Ask where the money shall go; the same notice goes out again when it is asked again."""
    kind = "refund_account_asked"
    send_again(kind, "refund", [fact.refund_id for fact in event.refunds], by=_REACTION)
    queue_notices(
        [
            NewNotice(
                kind,
                "refund",
                fact.refund_id,
                fact.customer_id,
                {"amount_minor": fact.amount_minor, "currency": fact.currency},
            )
            for fact in event.refunds
        ],
        by=_REACTION,
    )


@within_transaction
def on_methods_lost(event: MethodsLost) -> None:
    """Deleted at the gateway without our asking: whoever paid with it has to give another."""
    at = clock.now().isoformat()
    queue_notices(
        [
            NewNotice(
                "payment_method_deleted",
                "payment_method",
                fact.method_id,
                fact.customer_id,
                {"at": at},
            )
            for fact in event.methods
        ],
        by=_REACTION,
    )


@within_transaction
def on_sign_ins_asked(event: SignInsAsked) -> None:
    """Where they look is tried first: the telephone, or the inbox."""
    queue_notices(
        [
            NewNotice(
                "my_page_link",
                "sign_in",
                fact.ask_id,
                fact.customer_id,
                {"link_subject": {"type": "customer", "id": fact.customer_id}},
                place=rules.SIGN_IN_PLACE["sms" if fact.by_phone else "email"],
            )
            for fact in event.asks
        ],
        by=_REACTION,
    )


@within_transaction
def on_points_expiring(event: PointsExpiring) -> None:
    """Their last day is near: whoever has them may still spend them."""
    queue_notices(
        [
            NewNotice(
                "points_expiring",
                "point_lot",
                fact.lot_id,
                fact.customer_id,
                {"points": f"{fact.points:,}", "last_on": fact.expires_on.isoformat()},
            )
            for fact in event.lots
        ],
        by=_REACTION,
    )


def _account_values(attempt_id: int, account: DepositAccount | None) -> dict[str, str]:
    if account is None:
        return {}
    token = seal(account.number, context=account_context(attempt_id))
    return {
        "bank": account.bank,
        SEALED: base64.b64encode(token).decode(),
        "attempt_id": str(attempt_id),
        "due_at": account.due_at.isoformat(),
    }
