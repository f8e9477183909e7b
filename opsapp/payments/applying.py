"""Applying: a gateway's message becomes a question, and only the answer touches our books.

However often a message comes and in whatever order, the gateway is asked what holds now, and that
is compared with our books while their rows are locked. One question settles all that waits about
an attempt; an answer that is older than its lease, or than a change of our books, is asked anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import update

from opsapp.customers import deleting
from opsapp.gateways import registry
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, Flow, Inquiry, Outcome, WebhookMessage
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, db, owns_transactions, within_transaction
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.payments import claiming, judging, queries, reading, recording, rules, settling
from opsapp.payments.judging import Finding, Held
from opsapp.payments.models import GatewayEvent
from opsapp.payments.states import EVENT, AttemptStatus, EventStatus
from opsapp.routing.tallying import tally
from opsapp.settings import current
from opsapp.tickets.opening import NewTicket, open_tickets

log = structlog.get_logger(__name__)

# Named by the gateway's number alone, it may be about an attempt whose answer is on its way.
LOOKS_FOR_ITS_ATTEMPT = 3
WAIT_FOR_RECORD_MAX = timedelta(minutes=1)

_ASKED_BY_ITS_TURN = (AttemptStatus.AT_WINDOW, AttemptStatus.WAITING, AttemptStatus.UNKNOWN)
_OPEN = (AttemptStatus.READY, AttemptStatus.INFLIGHT, *_ASKED_BY_ITS_TURN)
_NOTHING_NEW = (Finding.SAME, Finding.NOT_OURS)

MEANING = {
    Finding.SAME: "the gateway says what our books say",
    Finding.ASKED: "the attempt is open: its next turn asks the gateway at once",
    Finding.REOPENED: "the gateway knows by now: it is asked once more",
    Finding.DEPOSIT_REVERSED: "the bank took the deposit back",
    Finding.REFUNDED_THERE: "money was given back in the gateway's own console",
    Finding.LATE_APPROVAL: "approved after the attempt had ended; held for a person",
    Finding.LATE_DEPOSIT: "money arrived that nobody waited for; held for a person",
    Finding.NOT_PAID_THERE: "the gateway says that no money moved",
    Finding.DISAGREES: "the gateway's sums differ from ours",
    Finding.METHOD_GONE: "the payment method was deleted at the gateway",
    Finding.NOT_OURS: "it is about nothing of ours",
    Finding.CHANGED: "our books moved meanwhile; asked again",
    Finding.UNKNOWN: "no certain answer; asked again later",
}


@dataclass(frozen=True, slots=True)
class EventClaim:
    """All that waits about one attempt, or one event about none.

    `fences`: by event. Without `inquiry` there is nothing to ask.
    """

    fences: Mapping[int, int]
    gateway_name: str
    turns: int
    misses: int
    attempt: Any | None = None
    inquiry: Inquiry | None = None
    held: Held | None = None
    said: WebhookMessage | None = field(default=None, repr=False)

    @property
    def attempt_id(self) -> int | None:
        return self.attempt.id if self.attempt is not None else None


_Found = tuple[EventClaim, Answer | None, Finding]


@owns_transactions
def read_events(event_ids: Sequence[int], *, by: Actor) -> None:
    """Look into each event: ask the gateway what holds, and write down what differs."""
    steps = Steps(
        claim=partial(_claim, by=by),
        call=_call,
        record=partial(record_findings, by=by),
        connected=registry.connected,
    )
    take_turns(event_ids, steps, abreast=claiming.abreast_max(), budget_s=current().chunk_budget_s)


@within_transaction
def record_findings(results: Sequence[tuple[EventClaim, Answer | None]], *, by: Actor) -> None:
    """Compare and write down a batch. Locks: payments, attempts, then the events themselves."""
    attempts = [claim.attempt for claim, _ in results if claim.attempt is not None]
    queries.lock_payments([attempt.payment_id for attempt in attempts])
    locked = reading.lock_attempts(attempt.id for attempt in attempts)
    fences = {event: fence for claim, _ in results for event, fence in claim.fences.items()}
    in_hand = reading.lock_events_in_hand(fences)
    if len(in_hand) < len(fences):
        log.warning("payments.late_findings_discarded", count=len(fences) - len(in_hand))
    held = reading.read_held(c.attempt.id for c, _ in results if c.held is not None and c.attempt)
    found = [
        (claim, answer, _find(claim, answer, held))
        for claim, answer in results
        if in_hand.issuperset(claim.fences)
    ]
    open_ids = {c.attempt.id for c, _, finding in found if c.attempt and finding is Finding.ASKED}
    recording.look_again([i for i in open_ids if locked[i].status in _ASKED_BY_ITS_TURN])
    for claim, answer, finding in found:
        if answer is not None and claim.held is not None:
            settling.settle(
                claim.attempt, claim.held, answer, finding, event=min(claim.fences), by=by
            )
    now = clock.now()
    EVENT.move_many(GatewayEvent, [move for each in found for move in _moves(*each, now)], by=by)
    asked = [(c.gateway_name, f"event {min(c.fences)}", a) for c, a in results if a is not None]
    tally(asked, by=by)


def _claim(event_ids: Sequence[int], *, by: Actor) -> list[EventClaim]:
    attempts = {row.id: row for row in reading.lock_attempts_of(event_ids)}
    _hint_again(event_ids, list(attempts))
    rows = reading.lock_claimable_events(event_ids, list(attempts))
    rows = claiming.pass_over_resting(GatewayEvent, rows)
    stuck = [row for row in rows if row.turns >= rules.TURNS_MAX]
    _hand_to_staff(stuck, attempts, by=by)
    busy = reading.list_in_hand(list(attempts)) | {
        row.id for row in attempts.values() if row.status == AttemptStatus.INFLIGHT
    }
    waiting = [row for row in rows if row.attempt_id in busy]
    _put_off(waiting)
    passed = {row.id for row in (*stuck, *waiting)}
    going = _find_attempts([row for row in rows if row.id not in passed])
    moved = EVENT.move_many(GatewayEvent, [_as_move(row) for row in going], by=by)
    return _taken([row for row in going if row.id in moved], attempts)


async def _call(claim: EventClaim) -> Answer | None:
    if claim.inquiry is None:
        return None
    call = gateway_named(claim.gateway_name).inquire(claim.inquiry)
    return await claiming.understood(call, attempt_id=claim.attempt_id or 0)


def _taken(rows: Sequence[Any], attempts: Mapping[int, Any]) -> list[EventClaim]:
    about: dict[int, list[Any]] = defaultdict(list)
    claims = []
    for row in rows:
        if row.attempt_id is None:
            said, _body = reading.unwrap(row.body_sealed, row.delivery_id)
            claims.append(_claim_of([row], said=said))
        else:
            about[row.attempt_id].append(row)
    held = reading.read_held(i for i in about if attempts[i].status not in _OPEN)
    for attempt_id, events in about.items():
        attempt = attempts[attempt_id]
        inquiry = Inquiry(attempt.gateway_order_id, attempt.gateway_key, Flow(attempt.flow))
        known = held.get(attempt_id)
        claims.append(
            _claim_of(events, attempt=attempt, held=known, inquiry=inquiry if known else None)
        )
    return claims


def _claim_of(events: Sequence[Any], **about: Any) -> EventClaim:
    return EventClaim(
        fences={row.id: row.fence + 1 for row in events},
        gateway_name=events[0].gateway_name,
        turns=max(row.turns for row in events) + 1,
        misses=max(row.misses for row in events),
        **about,
    )


def _as_move(row: Any) -> RowMove:
    lease_s = gateway_named(row.gateway_name).timeout_s + 2 * current().lease_margin_s
    return RowMove(
        row.id,
        row.status,
        EventStatus.READING,
        because="claimed; the gateway is asked for the truth",
        fence=row.fence,
        also={
            "fence": row.fence + 1,
            "turns": row.turns + 1,
            "leased_until": row.now + timedelta(seconds=lease_s),
        },
        detail={"fence": row.fence + 1},
    )


def _find_attempts(rows: Sequence[Any]) -> list[Any]:
    """Who has learnt by now what an event is about goes on with it in the next turn."""
    unnamed = [row for row in rows if row.attempt_id is None]
    said = {row.id: reading.unwrap(row.body_sealed, row.delivery_id)[0] for row in unnamed}
    found = reading.list_named(
        {row.id: (row.gateway_name, kept) for row in unnamed if (kept := said[row.id]) is not None}
    )
    bulk_update(
        GatewayEvent,
        [{"id": i, "attempt_id": attempt_id, "hinted_at": None} for i, attempt_id in found.items()],
    )
    return [row for row in rows if row.id not in found]


def _hint_again(event_ids: Sequence[int], attempt_ids: Sequence[int]) -> None:
    """Whose attempt is just being written down: the next round of the relay is soon enough."""
    passed_over = update(GatewayEvent).where(
        GatewayEvent.id.in_(event_ids),
        GatewayEvent.attempt_id.not_in(attempt_ids),
        GatewayEvent.status == EventStatus.STORED.value,
    )
    db.session.execute(passed_over.values(hinted_at=None))


def _put_off(rows: Sequence[Any]) -> None:
    """The answer that is on its way comes first: what holds after it is compared then."""
    bulk_update(
        GatewayEvent,
        [
            {
                "id": row.id,
                "due_at": row.business_now
                + min(rules.look_after(row.misses + 1), WAIT_FOR_RECORD_MAX),
                "misses": row.misses + 1,
                "hinted_at": None,
            }
            for row in rows
        ],
    )


def _hand_to_staff(rows: Sequence[Any], attempts: Mapping[int, Any], *, by: Actor) -> None:
    because = "no certain answer in many turns"
    also = {"leased_until": None, "finding": Finding.UNKNOWN.value}
    EVENT.move_many(
        GatewayEvent,
        [RowMove(r.id, r.status, EventStatus.NEEDS_HUMAN, because, also=also) for r in rows],
        by=by,
    )
    told = {row.attempt_id: row for row in rows if row.attempt_id is not None}
    open_tickets(
        [
            NewTicket(
                "payment",
                attempts[attempt_id].payment_id,
                attempts[attempt_id].customer_id,
                "gateway_disagrees",
                f"event {row.id}: {because}",
            )
            for attempt_id, row in told.items()
        ],
        by=by,
    )


def _find(claim: EventClaim, answer: Answer | None, held: Mapping[int, Held]) -> Finding:
    if claim.attempt is None:
        return _find_without_attempt(claim)
    if claim.held is None or answer is None:
        return Finding.ASKED
    if held[claim.attempt.id] != claim.held:
        return Finding.CHANGED
    return judging.judge_settled(answer, claim.held)


def _find_without_attempt(claim: EventClaim) -> Finding:
    said = claim.said
    if said is not None and said.is_key_deleted and said.billing_key is not None:
        gateway = Actor("gateway", claim.gateway_name)
        is_ours = deleting.note_deleted_at_gateway(said.billing_key, gateway.name, by=gateway)
        return Finding.METHOD_GONE if is_ours else Finding.NOT_OURS
    is_early = said is not None and said.gateway_key and not said.gateway_order_id
    if is_early and claim.turns < LOOKS_FOR_ITS_ATTEMPT:
        return Finding.UNKNOWN
    return Finding.NOT_OURS


def _moves(
    claim: EventClaim, answer: Answer | None, finding: Finding, now: Any
) -> Iterable[RowMove]:
    is_missed = answer is not None and answer.outcome is Outcome.NOT_SENT
    no_turn = finding is Finding.CHANGED or is_missed
    is_over = finding not in (Finding.CHANGED, Finding.UNKNOWN)
    wait = timedelta(0)
    if finding is Finding.UNKNOWN:
        wait = rules.look_after(claim.turns + claim.misses)
        wait = min(wait, rules.MISSED_LOOK_MAX) if is_missed else wait
    target = EventStatus.STORED
    if is_over:
        target = EventStatus.IGNORED if finding in _NOTHING_NEW else EventStatus.APPLIED
    also = {
        "due_at": now + wait,
        "leased_until": None,
        "hinted_at": None,
        "turns": claim.turns - no_turn,
        "misses": claim.misses + 1 if is_missed else 0,
        "finding": finding.value,
        "ended_at": now if is_over else None,
    }
    for event_id, fence in claim.fences.items():
        yield RowMove(
            event_id,
            EventStatus.READING,
            target,
            MEANING[finding],
            fence=fence,
            also=also,
            detail={"fence": fence},
        )
