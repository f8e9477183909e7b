"""Delivering: each notice takes its turn at a channel, and goes to the next one if need be.

The order of channels belongs to the kind (rules.KINDS); whether the customer can be reached there
is looked up at each claim. A try is written down with its outcome, in the transaction that moves
the notice.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from jinja2 import TemplateError

from opsapp.channels import registry
from opsapp.channels.base import GONE, Outcome, Receipt
from opsapp.channels.registry import channel_named
from opsapp.customers import adding_addresses, linking
from opsapp.customers.linking import LinkWish
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import Unreadable, unseal
from opsapp.kernel.db import (
    bulk_insert,
    bulk_update,
    owns_transactions,
    transaction,
    within_transaction,
)
from opsapp.kernel.events import announce
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.notifications import addressing, queries, reporting, rules, wording
from opsapp.notifications.addressing import Target
from opsapp.notifications.events import NoticeFact, NoticesAttempted
from opsapp.notifications.models import Notice, NoticeDelivery
from opsapp.notifications.states import NOTICE, DeliveryStatus, NoticeStatus
from opsapp.notifications.wording import Reader, Texts
from opsapp.settings import current

log = structlog.get_logger(__name__)

SEALED = "account_sealed"
# What staff wrote to a customer, and the name that its seal is bound to.
TEXT_SEALED, TEXT_REF = "text_sealed", "text_ref"
UNREACHABLE = "unreachable"
CALLED_BACK = "its reason went while it was under way"
_OUTCOMES = {
    Outcome.ACCEPTED: DeliveryStatus.ACCEPTED,
    Outcome.REFUSED: DeliveryStatus.REFUSED,
    Outcome.AWAY: DeliveryStatus.AWAY,
}


@dataclass(frozen=True, slots=True)
class Claim:
    notice: Any  # the row, as it was locked
    target: Target | None
    texts: Texts | None
    opening: dict[str, str]  # the address of a link that was made for this turn

    @property
    def notice_id(self) -> int:
        return int(self.notice.id)


@owns_transactions
def send_notices(notice_ids: Sequence[int], *, by: Actor) -> None:
    """Give each notice one turn, channel by channel: each has its own width."""
    groups = _by_channel(notice_ids)
    for name, ids in groups.items():
        channel = channel_named(name)
        take_turns(
            ids,
            Steps(
                claim=partial(_claim, by=by),
                call=_call,
                record=partial(_record, by=by),
                connected=channel.connected,
            ),
            abreast=channel.abreast_max,
            budget_s=current().chunk_budget_s / len(groups),
        )


def _by_channel(notice_ids: Sequence[int]) -> dict[str, list[int]]:
    """Where each would go now; the claim looks again."""
    with transaction():
        rows = queries.list_sendable(notice_ids)
        targets = addressing.find_targets(rows)
    [first, *_] = registry.all_channels()
    groups: dict[str, list[int]] = {}
    for row in rows:
        target = targets.get(row.id)
        groups.setdefault(target.channel if target else first.name, []).append(row.id)
    return groups


@within_transaction
def _claim(notice_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    rows = queries.lock_sendable(notice_ids)
    _drop([row for row in rows if row.is_called_back], by=by)
    rows = [row for row in rows if not row.is_called_back]
    targets = addressing.find_targets(rows)
    rows = _without_the_quiet(rows, targets)
    moves = [_claiming(row, targets.get(row.id)) for row in rows]
    moved = NOTICE.move_many(Notice, moves, by=by)
    mine = [row for row in rows if row.id in moved]
    openings = _open(mine, by=by)
    wanted = {(row.kind, _medium(targets.get(row.id))) for row in mine}
    edited = queries.list_active_texts(wanted)
    texts = {key: wording.texts_of(row) for key, row in edited.items()}
    return [
        Claim(
            row,
            targets.get(row.id),
            texts.get((row.kind, _medium(targets.get(row.id)))),
            openings.get(row.id, {}),
        )
        for row in mine
    ]


def _drop(rows: Sequence[Any], *, by: Actor) -> None:
    """Called back while somebody else had them."""
    moves = [RowMove(row.id, row.status, NoticeStatus.REVOKED, CALLED_BACK) for row in rows]
    NOTICE.move_many(Notice, moves, by=by)


def _without_the_quiet(rows: Sequence[Any], targets: dict[int, Target]) -> list[Any]:
    """Those that may ring now; the others wait until the morning."""
    now = clock.now()
    later = {
        row.id: until
        for row in rows
        if (target := targets.get(row.id))
        and (until := rules.quiet_until(row.kind, target.channel, now))
    }
    bulk_update(
        Notice,
        [
            {"id": row_id, "due_at": until, "leased_until": None, "hinted_at": None}
            for row_id, until in later.items()
        ],
    )
    return [row for row in rows if row.id not in later]


def _claiming(row: Any, target: Target | None) -> RowMove:
    timeout_s = channel_named(target.channel).timeout_s if target else 0
    return RowMove(
        row.id,
        row.status,
        NoticeStatus.SENDING,
        "claimed, to be sent",
        fence=row.fence,
        also={
            "fence": row.fence + 1,
            "turns": row.turns + 1,
            "channel": target.channel if target else row.channel,
            "place": target.place if target else row.place,
            "leased_until": row.now + timedelta(seconds=timeout_s + current().lease_margin_s),
        },
    )


def _open(rows: Sequence[Any], *, by: Actor) -> dict[int, dict[str, str]]:
    """Links for the messages that carry one, by notice."""
    linked = [(row, rules.LINKED[row.kind]) for row in rows if row.kind in rules.LINKED]
    wishes = [_link_wish(row, page) for row, page in linked]
    tokens = linking.issue_links(wishes, by=by) if wishes else []
    now = clock.now()
    return {
        row.id: {
            "link": f"{current().public_url}{page.path}{token}",
            "link_until": (now + page.life).isoformat(),
        }
        for (row, page), token in zip(linked, tokens, strict=True)
    }


def _link_wish(row: Any, page: rules.Opening) -> LinkWish:
    subject = row.values.get("link_subject") or {"type": row.subject_type, "id": row.subject_id}
    return LinkWish(row.customer_id, page.purpose, subject["type"], subject["id"], page.life)


async def _call(claim: Claim) -> Receipt:
    target, row = claim.target, claim.notice
    if target is None:
        return Receipt(Outcome.REFUSED, "the customer has no address for any of our channels")
    try:
        message = wording.compose(
            ref=row.ref,
            kind=row.kind,
            medium=rules.medium_of(target.channel),
            reader=Reader(target.address, row.name, row.locale),
            values=readable(row.values) | claim.opening,
            texts=claim.texts,
        )
    except (TemplateError, Unreadable, LookupError, TypeError, ValueError) as trouble:
        log.exception("notices.unwritable", notice_id=row.id, kind=row.kind)
        return Receipt(Outcome.REFUSED, f"it could not be worded ({type(trouble).__name__})")
    if target.channel in addressing.PUSH:
        message = replace(message, text=wording.without_link(message))
    return await channel_named(target.channel).send(message)


@within_transaction
def _record(results: Sequence[tuple[Claim, Receipt]], *, by: Actor) -> None:
    now = clock.now()
    called_back = queries.lock_called_back([claim.notice_id for claim, _ in results])
    moves = [
        _recording(claim, receipt, now, is_called_back=claim.notice_id in called_back)
        for claim, receipt in results
    ]
    moved = NOTICE.move_many(Notice, moves, by=by)
    if len(moved) < len(moves):
        log.warning("notices.late_answers_discarded", count=len(moves) - len(moved))
    counted = [(claim, receipt) for claim, receipt in results if claim.notice_id in moved]
    tries = [_delivery(c, c.target, r, now) for c, r in counted if c.target is not None]
    bulk_insert(NoticeDelivery, tries)
    gone = [c.target.address_id for c, r in counted if c.target and _is_gone(c, r)]
    adding_addresses.forget_push_addresses(
        [address_id for address_id in gone if address_id is not None],
        because="the push service knows it no more",
        by=by,
    )
    if any(row["provider_ref"] for row in tries):
        reporting.apply_reports(by=by)  # one may have been faster than this record
    announce(NoticesAttempted(tuple(_fact(claim, receipt, now) for claim, receipt in counted)))


def _recording(claim: Claim, receipt: Receipt, now: datetime, *, is_called_back: bool) -> RowMove:
    target, row = claim.target, claim.notice
    has_another = target is not None and target.has_another
    wait = rules.wait_before(row.turns + 1, has_another=has_another)
    status, because, place, turns = NoticeStatus.QUEUED, receipt.because, _place(claim), 0
    due_at = now
    match receipt.outcome:
        case Outcome.ACCEPTED:
            status, because, due_at = NoticeStatus.SENT, "the channel took it", row.due_at
        case Outcome.AWAY if wait is not None:
            due_at, turns = now + wait, row.turns + 1
        case Outcome.REFUSED if _is_gone(claim, receipt):
            pass  # the customer may have another address there
        case _ if has_another:
            place += 1
        case _:
            status, due_at, turns = NoticeStatus.FAILED, row.due_at, row.turns + 1
    if is_called_back and status is NoticeStatus.QUEUED:
        status, because = NoticeStatus.REVOKED, CALLED_BACK
    return RowMove(
        claim.notice_id,
        NoticeStatus.SENDING,
        status,
        because,
        fence=row.fence + 1,
        also={
            "leased_until": None,
            "hinted_at": None,
            "due_at": due_at,
            "turns": turns,
            "place": place,
            "error": None if status is NoticeStatus.SENT else because,
            "sent_at": now if status is NoticeStatus.SENT else None,
        },
        detail={"channel": target.channel} if target else {},
    )


def _place(claim: Claim) -> int:
    return claim.target.place if claim.target else int(claim.notice.place)


def _is_gone(claim: Claim, receipt: Receipt) -> bool:
    has_address = claim.target is not None and claim.target.address_id is not None
    return has_address and receipt.because == GONE


def _delivery(claim: Claim, target: Target, receipt: Receipt, now: datetime) -> dict[str, Any]:
    return {
        "notice_id": claim.notice_id,
        "channel": target.channel,
        "place": target.place,
        "status": _OUTCOMES[receipt.outcome].value,
        "provider_ref": receipt.provider_ref,
        "code": receipt.because,
        "at": now,
    }


def _fact(claim: Claim, receipt: Receipt, now: datetime) -> NoticeFact:
    row = claim.notice
    outcome = receipt.outcome.value if claim.target else UNREACHABLE
    return NoticeFact(
        row.id, row.kind, row.subject_type, row.subject_id, row.customer_id, now, outcome
    )


def _medium(target: Target | None) -> str:
    return rules.medium_of(target.channel) if target else rules.EMAIL


def readable(values: dict[str, Any]) -> dict[str, Any]:
    """The values with what was sealed in clear: for the message, never for a row or a line."""
    if TEXT_SEALED in values:
        token = base64.b64decode(values[TEXT_SEALED])
        values = values | {"text": unseal(token, context=text_context(values[TEXT_REF]))}
    if SEALED in values:
        token = base64.b64decode(values[SEALED])
        number = unseal(token, context=account_context(int(values["attempt_id"])))
        values = values | {"account": number}
    return values


def text_context(text_ref: str) -> str:
    return f"notices.values|{text_ref}"


def account_context(attempt_id: int) -> str:
    return f"notices.values|{attempt_id}"
