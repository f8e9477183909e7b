"""Sending: what a customer is to be told is queued with its cause and sent by a worker.

A message goes out at least once; its reference goes along. Text and address are read when it is
sent, so the row holds no personal data.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from jinja2 import TemplateError

from opsapp.channels import registry
from opsapp.channels.base import Outcome, Receipt
from opsapp.channels.registry import channel_named
from opsapp.customers import linking
from opsapp.customers.events import MethodsLost
from opsapp.customers.linking import LinkWish
from opsapp.kernel import clock, log as audit_log
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import Unreadable, seal, unseal
from opsapp.kernel.db import bulk_insert, owns_transactions, within_transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.notifications import queries, rules, wording
from opsapp.notifications.events import DepositAccount, TellsOfPayments, TellsOfRefunds
from opsapp.notifications.models import Notice
from opsapp.notifications.states import NOTICE, NoticeStatus
from opsapp.settings import current

log = structlog.get_logger(__name__)

_CHANNEL = "email"
_REACTION = Actor("worker", "notifications.sending")
_SEALED = "account_sealed"


@dataclass(frozen=True, slots=True)
class NewNotice:
    """`kind` names the template; `values` fill it: ids, amounts and ISO moments only."""

    kind: str
    subject_type: str
    subject_id: int
    customer_id: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    notice_id: int
    fence: int
    turns: int
    due_at: datetime
    ref: str
    kind: str
    channel: str
    values: dict[str, Any]
    recipient: str
    name: str
    locale: str
    opening: dict[str, str]  # the address of a link that was made for this turn


@within_transaction
def queue_notices(wishes: Sequence[NewNotice], *, by: Actor) -> int:
    """Returns how many are new: a customer is told once per kind and subject."""
    if not wishes:
        return 0
    queued = bulk_insert(
        Notice,
        [
            {
                "ref": new_ref("note"),
                "kind": wish.kind,
                "subject_type": wish.subject_type,
                "subject_id": wish.subject_id,
                "customer_id": wish.customer_id,
                "channel": _CHANNEL,
                "values": wish.values,
                "status": NOTICE.start.value,
            }
            for wish in wishes
        ],
        returning=("id", "kind"),
        or_nothing=True,
    )
    start = NOTICE.start.value
    audit_log.record_many(
        [
            audit_log.Entry("notice.queued", "notice", row.id, because=row.kind, to_state=start)
            for row in queued
        ],
        by=by,
    )
    return len(queued)


@within_transaction
def revoke(
    kind: str, subject_type: str, subject_ids: Sequence[int], *, because: str, by: Actor
) -> int:
    """Call back what has not gone out; returns how many."""
    rows = queries.lock_queued_about(kind, subject_type, subject_ids)
    moves = [RowMove(row.id, row.status, NoticeStatus.REVOKED, because) for row in rows]
    return len(NOTICE.move_many(Notice, moves, by=by))


@within_transaction
def send_again(kind: str, subject_type: str, subject_ids: Sequence[int], *, by: Actor) -> int:
    """Let what has gone out, or could not, go out once more; returns how many."""
    rows = queries.lock_ended_about(kind, subject_type, subject_ids)
    also = {"turns": 0, "misses": 0, "due_at": clock.now(), "hinted_at": None, "error": None}
    moves = [
        RowMove(row.id, row.status, NoticeStatus.QUEUED, "asked for again", also=also)
        for row in rows
    ]
    return len(NOTICE.move_many(Notice, moves, by=by))


@owns_transactions
def send_notices(notice_ids: Sequence[int], *, by: Actor) -> None:
    """Give each notice one turn at its channel."""
    take_turns(
        notice_ids,
        Steps(
            claim=partial(_claim, by=by),
            call=_call,
            record=partial(_record, by=by),
            connected=registry.connected,
        ),
        abreast=min(channel.abreast_max for channel in registry.all_channels()),
        budget_s=current().chunk_budget_s,
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
                {"amount_minor": fact.amount_minor, "currency": fact.currency, "at": at},
            )
            for fact in event.payments
            if fact.subject_type == "subscription"
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


def _claim(notice_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    rows = queries.lock_sendable(notice_ids)
    moved = NOTICE.move_many(Notice, [_claiming(row) for row in rows], by=by)
    openings = _open([row for row in rows if row.id in moved], by=by)
    return [
        Claim(
            notice_id=row.id,
            fence=row.fence + 1,
            turns=row.turns + 1,
            due_at=row.due_at,
            ref=row.ref,
            kind=row.kind,
            channel=row.channel,
            values=row.values,
            recipient=row.email,
            name=row.name,
            locale=row.locale,
            opening=openings.get(row.id, {}),
        )
        for row in rows
        if row.id in moved
    ]


def _open(rows: Sequence[Any], *, by: Actor) -> dict[int, dict[str, str]]:
    """Links for the messages that carry one, by notice."""
    linked = [(row, rules.LINKED[row.kind]) for row in rows if row.kind in rules.LINKED]
    wishes = [
        LinkWish(row.customer_id, page.purpose, row.subject_type, row.subject_id, page.life)
        for row, page in linked
    ]
    tokens = linking.issue_links(wishes, by=by) if wishes else []
    now = clock.now()
    return {
        row.id: {
            "link": f"{current().public_url}{page.path}{token}",
            "until": (now + page.life).isoformat(),
        }
        for (row, page), token in zip(linked, tokens, strict=True)
    }


def _claiming(row: Any) -> RowMove:
    lease_s = channel_named(row.channel).timeout_s + current().lease_margin_s
    return RowMove(
        row.id,
        row.status,
        NoticeStatus.SENDING,
        "claimed, to be sent",
        fence=row.fence,
        also={
            "fence": row.fence + 1,
            "turns": row.turns + 1,
            "leased_until": row.now + timedelta(seconds=lease_s),
        },
    )


async def _call(claim: Claim) -> Receipt:
    if not claim.recipient:
        return Receipt(Outcome.REFUSED, "the customer has no address for this channel")
    try:
        message = wording.compose(
            ref=claim.ref,
            kind=claim.kind,
            locale=claim.locale,
            recipient=claim.recipient,
            name=claim.name,
            values=_readable(claim.values) | claim.opening,
        )
    except (TemplateError, Unreadable, LookupError, TypeError, ValueError) as trouble:
        log.exception("notices.unwritable", notice_id=claim.notice_id, kind=claim.kind)
        return Receipt(Outcome.REFUSED, f"it could not be worded ({type(trouble).__name__})")
    return await channel_named(claim.channel).send(message)


def _record(results: Sequence[tuple[Claim, Receipt]], *, by: Actor) -> None:
    now = clock.now()
    moves = [_recording(claim, receipt, now) for claim, receipt in results]
    moved = NOTICE.move_many(Notice, moves, by=by)
    if len(moved) < len(moves):
        log.warning("notices.late_answers_discarded", count=len(moves) - len(moved))


def _recording(claim: Claim, receipt: Receipt, now: datetime) -> RowMove:
    wait = rules.wait_before(claim.turns)
    match receipt.outcome:
        case Outcome.ACCEPTED:
            status, because = NoticeStatus.SENT, "the channel took it"
        case Outcome.AWAY if wait is not None:
            status, because = NoticeStatus.QUEUED, receipt.because
        case _:
            status, because = NoticeStatus.FAILED, receipt.because
    is_again = status is NoticeStatus.QUEUED
    return RowMove(
        claim.notice_id,
        NoticeStatus.SENDING,
        status,
        because,
        fence=claim.fence,
        also={
            "leased_until": None,
            "hinted_at": None,
            "due_at": now + wait if is_again and wait else claim.due_at,
            "error": None if status is NoticeStatus.SENT else because,
            "sent_at": now if status is NoticeStatus.SENT else None,
        },
    )


def _account_values(attempt_id: int, account: DepositAccount | None) -> dict[str, str]:
    if account is None:
        return {}
    token = seal(account.number, context=_account_context(attempt_id))
    return {
        "bank": account.bank,
        _SEALED: base64.b64encode(token).decode(),
        "attempt_id": str(attempt_id),
        "due_at": account.due_at.isoformat(),
    }


def _readable(values: dict[str, Any]) -> dict[str, Any]:
    """The values with what was sealed in clear: for the message, never for a row or a line."""
    if _SEALED not in values:
        return values
    token = base64.b64decode(values[_SEALED])
    number = unseal(token, context=_account_context(int(values["attempt_id"])))
    return values | {"account": number}


def _account_context(attempt_id: int) -> str:
    return f"notices.values|{attempt_id}"
