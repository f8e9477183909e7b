"""Depositing: what arrives on a virtual account is matched, or becomes a case for a person.

Deposits = captured by their payments + what stands as unmatched, for every attempt at every
moment (I7). The gateway tells a running total: only what is new is written, so that an answer
that comes twice, late or out of order changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opsapp.kernel import log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.ids import new_ref
from opsapp.kernel.masking import mask_name
from opsapp.kernel.money import Money
from opsapp.ledger import queries as ledger
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import SALES, UNMATCHED, gateway_clearing
from opsapp.payments import queries
from opsapp.payments.events import MoneyUnmatched, UnmatchedFact
from opsapp.payments.models import Attempt, Deposit, Payment, UnmatchedMoney
from opsapp.payments.states import UNMATCHED as LIFE, UnmatchedStatus
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

TICKET_REASON = "unmatched_money"
SUBJECT = "unmatched_money"
BECAUSE = {
    "short": "less than the amount was paid in",
    "over": "more than the amount was paid in",
    "late": "paid in after the deadline",
    "after_cancel": "paid in after it was given up",
    "late_approval": "approved after it had ended",
}
# What of a deposit became its payment's, and what of that was taken away again.
_TAKEN = ("charge", "matched", "accepted")
_TAKEN_BACK = "deposit_reversed"


@dataclass(frozen=True, slots=True)
class DepositSeen:
    """What a gateway said has arrived for one attempt, in minor units.

    `deposited_minor` is the running total, None when the gateway said nothing of it;
    `matched_minor` what the payment has captured of it; `reason` why the rest is nobody's, None
    while it may still become enough.
    """

    attempt_id: int
    payment_id: int
    customer_id: int
    gateway_name: str
    gateway_key: str
    currency: str
    deposited_minor: int | None
    matched_minor: int
    deposit_key: str | None
    depositor: str | None
    reason: str | None

    @classmethod
    def nothing_new(
        cls, attempt: Attempt, payment: Payment, gateway_key: str, *, reason: str
    ) -> "DepositSeen":
        """The attempt has ended without money: what of a part had arrived is nobody's now."""
        return cls(
            attempt_id=attempt.id,
            payment_id=payment.id,
            customer_id=payment.customer_id,
            gateway_name=attempt.gateway_name,
            gateway_key=gateway_key,
            currency=payment.currency,
            deposited_minor=None,
            matched_minor=0,
            deposit_key=None,
            depositor=None,
            reason=reason,
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """What stands in our books of one attempt."""

    deposited: int
    matched: int
    in_cases: int
    rows: int
    latest_id: int | None


@within_transaction
def record_deposits(seen: Sequence[DepositSeen], *, by: Actor) -> None:
    """Write the deposits that are new, match them, and open a case for what is left over.

    A total below the known one takes back only what no payment and no case holds yet: the rest
    is reversing.reverse_deposit. Attempts and payments have been moved before.
    """
    if not seen:
        return
    queries.lock_payment_states(sorted({each.payment_id for each in seen}))
    held = _read_books(seen)
    new = [(each, delta) for each in seen if (delta := _news(each, held[each.attempt_id]))]
    ids = _write_deposits(new, held)
    transfers: list[Transfer] = []
    cases: list[tuple[DepositSeen, int, int]] = []
    for each in seen:
        own, delta = held[each.attempt_id], _news(each, held[each.attempt_id])
        deposit_id = ids.get(each.attempt_id, own.latest_id)
        if deposit_id is None:
            continue
        transfers += _transfers(each, own, delta, deposit_id)
        rest = own.deposited + delta - max(each.matched_minor, own.matched) - own.in_cases
        if each.reason is not None and rest > 0:
            cases.append((each, deposit_id, rest))
    post(transfers)
    _open_cases(cases, by=by)


@within_transaction
def hold_late_approval(
    attempt_id: int, amount: Money, *, by: Actor, gateway_key: str | None = None
) -> None:
    """An attempt that had ended without money turned out approved: a person decides.

    `gateway_key` names the gateway's payment where the attempt does not know it yet.
    """
    payment = queries.lock_payment(queries.get_payment_of(attempt_id).id)
    attempt = queries.lock_attempt(attempt_id)
    row = {
        "ref": new_ref("um"),
        "attempt_id": attempt.id,
        "payment_id": payment.id,
        "customer_id": payment.customer_id,
        "deposit_id": None,
        "gateway_name": attempt.gateway_name,
        "gateway_key": gateway_key or attempt.gateway_key or attempt.gateway_order_id,
        "reason": "late_approval",
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "status": LIFE.start.value,
    }
    written = _insert_cases([row], by=by)
    post(
        [
            Transfer(
                "unmatched",
                gateway_clearing(attempt.gateway_name),
                UNMATCHED,
                amount,
                SUBJECT,
                case_id,
                payment.id,
            )
            for case_id in written
        ]
    )


@within_transaction
def resolve_cases(unmatched_ids: Sequence[int], *, because: str, by: Actor) -> None:
    """Nobody has to look after these any more: their tickets are done."""
    resolving.resolve_for(SUBJECT, unmatched_ids, TICKET_REASON, because=because, by=by)


def _read_books(seen: Sequence[DepositSeen]) -> dict[int, _Held]:
    ids = [each.attempt_id for each in seen]
    deposits, cases = queries.list_deposits(ids), queries.sum_cases(ids)
    posted = ledger.sum_about("deposit", [row.id for row in deposits], [*_TAKEN, _TAKEN_BACK])
    held = {}
    for attempt_id in ids:
        own = [row for row in deposits if row.attempt_id == attempt_id]
        taken = sum(posted.get((kind, row.id), 0) for row in own for kind in _TAKEN)
        held[attempt_id] = _Held(
            deposited=sum(row.amount_minor for row in own),
            matched=taken - sum(posted.get((_TAKEN_BACK, row.id), 0) for row in own),
            in_cases=cases.get(attempt_id, 0),
            rows=len(own),
            latest_id=max((row.id for row in own), default=None),
        )
    return held


def _news(each: DepositSeen, held: _Held) -> int:
    """How much more, or less, than we knew; less only of what nobody holds."""
    if each.deposited_minor is None:
        return 0
    delta = each.deposited_minor - held.deposited
    free = held.deposited - held.matched - held.in_cases
    return max(delta, -max(free, 0)) if each.reason is None else max(delta, 0)


def _write_deposits(
    new: Sequence[tuple[DepositSeen, int]], held: dict[int, _Held]
) -> dict[int, int]:
    """Ids of the new rows by attempt. A name that the gateway has used before gets a number."""
    used = queries.list_deposit_keys([each.deposit_key for each, _ in new if each.deposit_key])
    rows = [
        {
            "gateway_name": each.gateway_name,
            "deposit_key": _name(each, held[each.attempt_id], used),
            "attempt_id": each.attempt_id,
            "payment_id": each.payment_id,
            "amount_minor": delta,
            "currency": each.currency,
            "depositor": mask_name(each.depositor) if each.depositor else None,
        }
        for each, delta in new
    ]
    written = bulk_insert(Deposit, rows, returning=("id", "attempt_id"))
    return {row.attempt_id: row.id for row in written}


def _name(each: DepositSeen, held: _Held, used: frozenset[tuple[str, str]]) -> str:
    key = each.deposit_key
    if key is not None and (each.gateway_name, key) not in used:
        return key
    return f"{key or each.gateway_key}#{each.attempt_id}.{held.rows + 1}"


def _transfers(each: DepositSeen, held: _Held, delta: int, deposit_id: int) -> list[Transfer]:
    """First the payment's share, straight from the gateway; then what had been set aside."""
    clearing = gateway_clearing(each.gateway_name)
    missing = max(each.matched_minor - held.matched, 0)
    straight = min(missing, max(delta, 0))
    wanted = (
        ("charge", clearing, SALES, straight),
        ("matched", UNMATCHED, SALES, missing - straight),
        ("unmatched", clearing, UNMATCHED, max(delta, 0) - straight),
        ("unmatched_reversed", UNMATCHED, clearing, max(-delta, 0)),
    )
    return [
        Transfer(
            kind, debit, credit, Money(minor, each.currency), "deposit", deposit_id, each.payment_id
        )
        for kind, debit, credit, minor in wanted
        if minor
    ]


def _open_cases(cases: Sequence[tuple[DepositSeen, int, int]], *, by: Actor) -> None:
    _insert_cases(
        [
            {
                "ref": new_ref("um"),
                "attempt_id": each.attempt_id,
                "payment_id": each.payment_id,
                "customer_id": each.customer_id,
                "deposit_id": deposit_id,
                "gateway_name": each.gateway_name,
                "gateway_key": each.gateway_key,
                "reason": each.reason,
                "amount_minor": minor,
                "currency": each.currency,
                "status": LIFE.start.value,
            }
            for each, deposit_id, minor in cases
        ],
        by=by,
    )


def _insert_cases(rows: Sequence[dict[str, Any]], *, by: Actor) -> list[int]:
    """A case that is there already is left alone; each new one opens its ticket."""
    written = bulk_insert(
        UnmatchedMoney,
        rows,
        returning=("id", "payment_id", "customer_id", "reason", "amount_minor", "currency"),
        or_nothing=True,
    )
    log.record_many(
        [
            log.Entry(
                action="unmatched_money.opened",
                subject_type=SUBJECT,
                subject_id=row.id,
                because=BECAUSE[row.reason],
                to_state=UnmatchedStatus.OPEN,
                detail={"payment_id": row.payment_id, "amount_minor": row.amount_minor},
            )
            for row in written
        ],
        by=by,
    )
    open_tickets(
        [
            NewTicket(
                SUBJECT,
                row.id,
                row.customer_id,
                TICKET_REASON,
                f"{BECAUSE[row.reason]} (#{row.payment_id})",
            )
            for row in written
        ],
        by=by,
    )
    if written:
        announce(
            MoneyUnmatched(
                tuple(
                    UnmatchedFact(
                        row.id, row.payment_id, row.customer_id, row.amount_minor, row.currency
                    )
                    for row in written
                )
            )
        )
    return [row.id for row in written]
