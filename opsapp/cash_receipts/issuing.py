"""Issuing: each receipt gets turns at its gateway until the tax office's word is known.

A receipt is asked for under its own key and a cancel under one of its own, so that a repeat makes
no second one; what the tax office takes days for is looked up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from time import monotonic
from typing import Any

import structlog

from opsapp.cash_receipts import cancelling, queries, rules
from opsapp.cash_receipts.asking import TICKET
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.queries import ClaimableReceipt
from opsapp.cash_receipts.rules import Ask, Verdict
from opsapp.cash_receipts.states import RECEIPT, ReceiptStatus
from opsapp.failures import loading, noting
from opsapp.gateways import registry
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import (
    Answer,
    CashReceiptCancel,
    CashReceiptRequest,
    Outcome,
    as_log_fields,
)
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import bulk_update, owns_transactions, within_transaction
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.routing import resting, tallying
from opsapp.settings import current
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    receipt_id: int
    fence: int
    turns: int
    gateway_name: str
    status: str
    ask: Ask
    request: CashReceiptRequest | CashReceiptCancel | None
    key: str  # of what is looked up
    sent_on: date
    call_before: float  # monotonic; later than this the lease might not outlive the call


@owns_transactions
def execute_receipts(receipt_ids: Sequence[int], *, by: Actor) -> None:
    """Give each receipt one turn at its gateway."""
    take_turns(
        receipt_ids,
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
def _claim(receipt_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    loading.refresh()
    parted = resting.part(queries.lock_claimable(receipt_ids))
    now = clock.now()
    waiting = [
        {"id": receipt_id, "due_at": now + rest, "hinted_at": None}
        for rest, ids in parted.waiting.items()
        for receipt_id in ids
    ]
    bulk_update(CashReceipt, waiting)
    call_before = monotonic() + current().lease_margin_s
    claims = [_claim_of(row, call_before) for row in parted.going]
    moves = [_claiming(row, claim) for row, claim in zip(parted.going, claims, strict=True)]
    moved = RECEIPT.move_many(CashReceipt, moves, by=by)
    return [claim for claim in claims if claim.receipt_id in moved]


async def _call(claimed: Claim) -> Answer:
    if monotonic() > claimed.call_before:
        return Answer(Outcome.NOT_SENT)
    gateway = gateway_named(claimed.gateway_name)
    if isinstance(claimed.request, CashReceiptRequest):
        return await gateway.issue_cash_receipt(claimed.request)
    if isinstance(claimed.request, CashReceiptCancel):
        return await gateway.cancel_cash_receipt(claimed.request)
    # Asked for a second before midnight it may stand under the next day.
    day = claimed.sent_on + timedelta(days=(claimed.turns + 1) % 2)
    return await gateway.find_cash_receipt(claimed.key, requested_on=day)


@within_transaction
def _record(answers: Sequence[tuple[Claim, Answer]], *, by: Actor) -> None:
    tallying.tally(
        [(c.gateway_name, f"cash receipt {c.receipt_id}", answer) for c, answer in answers], by=by
    )
    held = queries.lock_receipts([claim.receipt_id for claim, _ in answers])
    judged = [(claim, answer, _judge(claim, answer)) for claim, answer in answers]
    moves = [_move(claim, answer, verdict, held) for claim, answer, verdict in judged]
    moved = RECEIPT.move_many(CashReceipt, moves, by=by)
    if late := [claim.receipt_id for claim, _ in answers if claim.receipt_id not in moved]:
        log.warning("cash_receipts.late_answers_discarded", receipt_ids=late)
    _go_on(sorted(moved), by=by)
    noting.note_unmapped(
        [(a.unmapped_source, a.code or "", None) for _, a in answers if a.unmapped_source]
    )


def _go_on(receipt_ids: Sequence[int], *, by: Actor) -> None:
    """What was given back meanwhile is cancelled; who is stuck gets a ticket."""
    rows = queries.lock_receipts(receipt_ids).values()
    for receipt in rows:
        if receipt.status == ReceiptStatus.ISSUED:
            cancelling.begin(receipt, because="money was given back", by=by)
    stuck = [r for r in rows if r.status in (ReceiptStatus.FAILED, ReceiptStatus.NEEDS_HUMAN)]
    open_tickets(
        [
            NewTicket(
                "payment",
                receipt.payment_id,
                receipt.customer_id,
                TICKET,
                f"cash receipt {receipt.ref}: {receipt.failure_code or receipt.status}",
            )
            for receipt in stuck
        ],
        by=by,
    )
    well = (ReceiptStatus.ISSUED, ReceiptStatus.CANCELLED)
    done = [receipt.payment_id for receipt in rows if receipt.status in well]
    if done:
        resolving.resolve_for("payment", done, TICKET, because="it was settled", by=by)


def _judge(claim: Claim, answer: Answer) -> Verdict:
    honours_keys = gateway_named(claim.gateway_name).capabilities.replay_window is not None
    return rules.judge(claim.ask, answer, turns=claim.turns, honours_keys=honours_keys)


def _claim_of(row: ClaimableReceipt, call_before: float) -> Claim:
    receipt, ask = row.receipt, _ask_of(row.receipt)
    return Claim(
        receipt_id=receipt.id,
        fence=receipt.fence + 1,
        turns=receipt.turns + 1,
        gateway_name=receipt.gateway_name,
        status=receipt.status,
        ask=ask,
        request=_request(row, ask),
        key=(receipt.cancel_key if ask is Ask.FIND_CANCEL else receipt.receipt_key) or "",
        sent_on=_sent_on(row, ask),
        call_before=call_before,
    )


def _ask_of(receipt: CashReceipt) -> Ask:
    if receipt.status == ReceiptStatus.REQUESTED:
        return Ask.ISSUE
    if receipt.status == ReceiptStatus.IN_PROGRESS:
        return Ask.FIND
    return Ask.CANCEL if receipt.cancel_key is None else Ask.FIND_CANCEL


def _request(row: ClaimableReceipt, ask: Ask) -> CashReceiptRequest | CashReceiptCancel | None:
    receipt = row.receipt
    if ask is Ask.CANCEL:
        return CashReceiptCancel(
            receipt_key=receipt.receipt_key or "",
            amount=Money(receipt.cancelling_minor, receipt.currency),
            # Each part has a key of its own, the same for every turn.
            idempotency_key=f"{receipt.idempotency_key}_c{receipt.cancelled_minor}",
        )
    if ask is not Ask.ISSUE:
        return None
    if receipt.registration_sealed is None:
        raise ValueError(f"cash receipt {receipt.id} has no number to be issued to")
    return CashReceiptRequest(
        gateway_order_id=row.gateway_order_id,
        title=row.title,
        kind=receipt.kind,
        registration=unseal(
            receipt.registration_sealed, context=queries.receipt_context(receipt.ref)
        ),
        amount=receipt.amount,
        tax_free=Money(0, receipt.currency),
        idempotency_key=receipt.idempotency_key,
    )


def _sent_on(row: ClaimableReceipt, ask: Ask) -> date:
    """By the real clock, which the gateway goes by too."""
    is_new = ask in (Ask.ISSUE, Ask.CANCEL) or row.receipt.sent_on is None
    return seoul_date(row.now) if is_new else row.receipt.sent_on or seoul_date(row.now)


def _claiming(row: ClaimableReceipt, claim: Claim) -> RowMove:
    lease_s = gateway_named(row.gateway_name).timeout_s + 2 * current().lease_margin_s
    return RowMove(
        claim.receipt_id,
        claim.status,
        ReceiptStatus(claim.status),
        f"claimed; the gateway is asked: {claim.ask}",
        fence=row.receipt.fence,
        also={
            "fence": claim.fence,
            "turns": claim.turns,
            "sent_on": claim.sent_on,
            "leased_until": row.now + timedelta(seconds=lease_s),
        },
    )


def _move(claim: Claim, answer: Answer, verdict: Verdict, held: dict[int, CashReceipt]) -> RowMove:
    receipt = held[claim.receipt_id]
    status = _settled(receipt) if verdict.is_done else verdict.status
    has_ended = status in (ReceiptStatus.CANCELLED, ReceiptStatus.FAILED)
    is_new_question = status != claim.status or claim.ask is Ask.CANCEL
    spent = claim.turns if verdict.was_sent else claim.turns - 1
    return RowMove(
        claim.receipt_id,
        claim.status,
        status,
        verdict.because,
        fence=claim.fence,
        also={
            "leased_until": None,
            "due_at": clock.now() + verdict.wait,
            "turns": 0 if is_new_question and answer.cash_receipt is not None else spent,
            "ended_at": clock.now() if has_ended else None,
        }
        | _told(claim, answer, receipt, status)
        | _cancelled(receipt, verdict),
        detail=as_log_fields(answer),
    )


def _told(
    claim: Claim, answer: Answer, receipt: CashReceipt, status: ReceiptStatus
) -> dict[str, Any]:
    """What the gateway has named; a cancel has a key of its own."""
    told = answer.cash_receipt
    is_cancel = claim.ask in (Ask.CANCEL, Ask.FIND_CANCEL)
    of_issue = None if is_cancel else told
    needs_number = status in (
        ReceiptStatus.REQUESTED, ReceiptStatus.FAILED, ReceiptStatus.NEEDS_HUMAN,
        ReceiptStatus.IN_PROGRESS,
    )  # fmt: skip
    code = told.failure_code if told is not None else None
    return {
        "receipt_key": of_issue.receipt_key if of_issue else receipt.receipt_key,
        "issue_number": (of_issue.issue_number if of_issue else None) or receipt.issue_number,
        "receipt_url": (of_issue.receipt_url if of_issue else None) or receipt.receipt_url,
        "failure_code": code or answer.code,
        "registration_sealed": receipt.registration_sealed if needs_number else None,
        "cancel_key": told.receipt_key if is_cancel and told else receipt.cancel_key,
    }


def _cancelled(receipt: CashReceipt, verdict: Verdict) -> dict[str, Any]:
    if not verdict.is_done:
        return {
            "cancelled_minor": receipt.cancelled_minor,
            "cancelling_minor": receipt.cancelling_minor,
        }
    return {
        "cancelled_minor": receipt.cancelled_minor + receipt.cancelling_minor,
        "cancelling_minor": 0,
    }


def _settled(receipt: CashReceipt) -> ReceiptStatus:
    is_whole = receipt.cancelled_minor + receipt.cancelling_minor == receipt.amount_minor
    return ReceiptStatus.CANCELLED if is_whole else ReceiptStatus.ISSUED
