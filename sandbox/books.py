"""Everything the gateway remembers: merchants, payments, billing keys, answers, events.

All changes are *facts*. `record_...` applies a fact to memory and adds it to the act in hand;
`take_act` hands the act to the journal as one line; `replay` applies a line read at start. A
payment is held as the JSON text that the API answers, so reading one costs no encoding.
"""

import hashlib
import heapq
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox import clock
from sandbox.errors import to_json
from sandbox.faults import Faults

IDEMPOTENCY_WINDOW_S: Final = 15 * 86_400
# A payment of these states has used up its orderId: approved, cancelled, or an account is open.
TAKEN_STATES: Final = frozenset({"DONE", "CANCELED", "PARTIAL_CANCELED", "WAITING_FOR_DEPOSIT"})
_NO_MERCHANT: Final = ""

Json = dict[str, Any]


@dataclass(slots=True)
class Held:
    """One payment as held: the API's JSON text, and what the API does not show."""

    merchant_id: str
    payment_key: str
    order_id: str
    status: str
    changed_at: float
    body: bytes
    customer_key: str | None = None
    private: Json | None = None

    def read(self) -> Json:
        payment: Json = json.loads(self.body)
        return payment


@dataclass(frozen=True, slots=True)
class Transaction:
    """One row of `GET /v1/transactions`: an approval, a cancel, or a deposit taken back."""

    key: str
    at_s: float
    amount: int
    status: str
    payment_key: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer under an idempotency key."""

    fingerprint: str
    at_s: float
    status: int
    body: bytes


@dataclass(slots=True)
class Merchant:
    """The data of one API key; another key is another merchant."""

    id: str
    payments: dict[str, Held] = field(default_factory=dict)
    orders: dict[str, Held] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    billing_keys: dict[str, Json] = field(default_factory=dict)
    used_auth_keys: set[str] = field(default_factory=set)
    receipts: dict[str, Json] = field(default_factory=dict)
    answers: dict[str, StoredAnswer] = field(default_factory=dict)
    in_flight: set[str] = field(default_factory=set)
    declined_orders: set[str] = field(default_factory=set)


class Books:
    """The state of the whole sandbox."""

    def __init__(self) -> None:
        self.merchants: dict[str, Merchant] = {}
        self.accounts: dict[str, Held] = {}
        self.deposits: list[Json] = []
        self.events: dict[str, Json] = {}
        self.new_events: list[Json] = []
        self.webhook: Json | None = None
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self.clock_offset_s = 0.0
        self._act: list[bytes] = []
        self._payment_body = b""  # of the payment recorded last: most answers are just that
        self._agenda: list[tuple[float, int, str, str, str]] = []
        self._ran: set[int] = set()
        self._agenda_number = 0
        self._fact_readers: dict[str, Callable[..., None]] = {
            "payment": self._read_payment,
            "billing": self._apply_billing,
            "receipt": self._apply_receipt,
            "answer": self._read_answer,
            "event": self._apply_event,
            "event_tried": self._apply_event_tried,
            "event_done": self._apply_event_done,
            "webhook": self._apply_webhook,
            "faults": self._apply_faults,
            "clock": self._apply_clock,
            "planned": self._apply_planned,
            "ran": self._ran.add,
            "deposit": self.deposits.append,
        }

    def now(self) -> float:
        return time.time() + self.clock_offset_s

    def replay(self, acts: Iterable[list[list[Any]]]) -> None:
        """Apply the journal's lines, in order, before the first request."""
        for facts in acts:
            for kind, *values in facts:
                self._fact_readers[kind](*values)
        self._agenda = [entry for entry in self._agenda if entry[1] not in self._ran]
        heapq.heapify(self._agenda)

    def take_act(self) -> bytes | None:
        """The journal line of what was recorded since the last call, if anything was."""
        if not self._act:
            return None
        line = b"[" + b",".join(self._act) + b"]"
        self._act = []
        return line

    def merchant(self, merchant_id: str) -> Merchant:
        found = self.merchants.get(merchant_id)
        if found is None:
            found = self.merchants[merchant_id] = Merchant(merchant_id)
        return found

    # A payment made at the payment window has no merchant until an API key names it.

    def find_payment(self, merchant: Merchant, payment_key: str) -> Held | None:
        return merchant.payments.get(payment_key) or self._adopt(
            merchant, self.merchant(_NO_MERCHANT).payments.get(payment_key)
        )

    def find_order(self, merchant: Merchant, order_id: str) -> Held | None:
        return merchant.orders.get(order_id) or self._adopt(
            merchant, self.merchant(_NO_MERCHANT).orders.get(order_id)
        )

    def _adopt(self, merchant: Merchant, held: Held | None) -> Held | None:
        if held is None or merchant.id == _NO_MERCHANT:
            return held
        payment = held.read()
        payment["mId"] = merchant.id
        return self.record_payment(merchant, payment, private=held.private)

    # Facts about payments.

    def record_payment(
        self,
        merchant: Merchant,
        payment: Json,
        *,
        customer_key: str | None = None,
        private: Json | None = None,
        transaction: Transaction | None = None,
    ) -> Held:
        """Hold a new or changed payment; `customer_key` and `private` stay unless given."""
        body = to_json(payment)
        before = merchant.payments.get(payment["paymentKey"])
        if before is not None:
            customer_key = customer_key or before.customer_key
            private = private if private is not None else before.private
        rest: Json = {"at": self.now()}
        if customer_key is not None:
            rest["customer"] = customer_key
        if private is not None:
            rest["private"] = private
        if transaction is not None:
            rest["transaction"] = (
                transaction.key,
                transaction.at_s,
                transaction.amount,
                transaction.status,
            )
        self._act.append(b'["payment","%s",%s,%s]' % (merchant.id.encode(), body, to_json(rest)))
        return self._hold(merchant, payment, body, rest)

    def _read_payment(self, merchant_id: str, payment: Json, rest: Json) -> None:
        self._hold(self.merchant(merchant_id), payment, to_json(payment), rest)

    def _hold(self, merchant: Merchant, payment: Json, body: bytes, rest: Json) -> Held:
        key, order_id, status = payment["paymentKey"], payment["orderId"], payment["status"]
        held = merchant.payments.get(key)
        if held is None:
            held = Held(merchant.id, key, order_id, status, 0.0, body)
            merchant.payments[key] = held
            if merchant.id != _NO_MERCHANT:
                self._release_unclaimed(key, order_id)
        known = merchant.orders.get(order_id)
        if known is None or known.status not in TAKEN_STATES:
            merchant.orders[order_id] = held
        held.status, held.body, held.changed_at = status, body, rest["at"]
        self._payment_body = body
        held.customer_key, held.private = rest.get("customer"), rest.get("private")
        if "transaction" in rest:
            merchant.transactions.append(_transaction_of(key, rest["transaction"]))
        if status == "ABORTED":
            merchant.declined_orders.add(order_id)
        account = payment["virtualAccount"]
        if account is not None:
            self.accounts[account["accountNumber"]] = held
        return held

    def _release_unclaimed(self, payment_key: str, order_id: str) -> None:
        unclaimed = self.merchant(_NO_MERCHANT)
        if unclaimed.payments.pop(payment_key, None) is not None:
            unclaimed.orders.pop(order_id, None)

    # Facts about billing keys, cash receipts and money that arrived.

    def record_billing(self, merchant: Merchant, record: Json) -> None:
        self._record("billing", merchant.id, record)
        self._apply_billing(merchant.id, record)

    def _apply_billing(self, merchant_id: str, record: Json) -> None:
        merchant = self.merchant(merchant_id)
        merchant.billing_keys[record["billing"]["billingKey"]] = record
        if record["auth_key"] is not None:
            merchant.used_auth_keys.add(record["auth_key"])

    def record_receipt(self, merchant: Merchant, receipt: Json) -> None:
        self._record("receipt", merchant.id, receipt)
        self._apply_receipt(merchant.id, receipt)

    def _apply_receipt(self, merchant_id: str, receipt: Json) -> None:
        self.merchant(merchant_id).receipts[receipt["receiptKey"]] = receipt

    def record_deposit(self, deposit: Json) -> None:
        self._record("deposit", deposit)
        self.deposits.append(deposit)

    # Answers stored under an idempotency key.

    def record_answer(self, merchant: Merchant, scope: str, answer: StoredAnswer) -> None:
        """Remember the first answer; the body of a payment recorded in the same act is shared."""
        self._act.append(
            b'["answer","%s",%s,"%s",%f,%d,%s]'
            % (
                merchant.id.encode(),
                to_json(scope),
                answer.fingerprint.encode(),
                answer.at_s,
                answer.status,
                b"null" if answer.body is self._payment_body else answer.body or b'""',
            )
        )
        merchant.answers[scope] = answer

    def _read_answer(
        self, merchant_id: str, scope: str, *answer_fields: *tuple[str, float, int, Any]
    ) -> None:
        fingerprint, at_s, status, body = answer_fields
        if at_s + IDEMPOTENCY_WINDOW_S < self.now():
            return
        encoded = b"" if body == "" else self._payment_body if body is None else to_json(body)
        answer = StoredAnswer(fingerprint, at_s, status, encoded)
        self.merchant(merchant_id).answers[scope] = answer

    # Webhook events; `next_at` is real time, not the movable clock.

    def announce(self, body: Json, *, signed_with: Sequence[str] = ()) -> None:
        """Queue one webhook, if a target is registered; `signed_with` are security keys."""
        if self.webhook is None:
            return
        event: Json = {
            "id": secrets.token_hex(16),
            "tried": 0,
            "next_at": time.time(),
            "body": body,
        }
        if signed_with:
            event["keys"] = list(signed_with)
        self._record("event", event)
        self._apply_event(event)
        self.new_events.append(event)

    def announce_payment(self, payment: Json) -> None:
        """PAYMENT_STATUS_CHANGED; the caller knows that a billing charge sends none."""
        created_at = clock.webhook_stamp(self.now())
        self.announce(
            {"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": created_at, "data": payment}
        )

    def _apply_event(self, event: Json) -> None:
        self.events[event["id"]] = event

    def record_event_tried(self, event_id: str, tried: int, next_at: float) -> None:
        self._record("event_tried", event_id, tried, next_at)
        self._apply_event_tried(event_id, tried, next_at)

    def _apply_event_tried(self, event_id: str, tried: int, next_at: float) -> None:
        event = self.events.get(event_id)
        if event is not None:
            event["tried"], event["next_at"] = tried, next_at

    def record_event_done(self, event_id: str) -> None:
        self._record("event_done", event_id)
        self._apply_event_done(event_id)

    def _apply_event_done(self, event_id: str) -> None:
        self.events.pop(event_id, None)

    # Settings made through the control calls.

    def record_webhook(self, webhook: Json | None) -> None:
        self._record("webhook", webhook)
        self._apply_webhook(webhook)

    def _apply_webhook(self, webhook: Json | None) -> None:
        self.webhook = webhook

    def record_faults(self, profile: Json) -> None:
        self._record("faults", profile)
        self._apply_faults(profile)

    def _apply_faults(self, profile: Json) -> None:
        self.faults = Faults(profile)

    def record_clock(self, offset_s: float) -> None:
        self._record("clock", offset_s)
        self._apply_clock(offset_s)

    def _apply_clock(self, offset_s: float) -> None:
        self.clock_offset_s = offset_s

    # What is to happen by itself: sessions and accounts that end, deposits, refunds that arrive.

    def plan(self, at_s: float, kind: str, held: Held) -> None:
        number = self._agenda_number + 1
        self._record("planned", at_s, number, kind, held.merchant_id, held.payment_key)
        self._apply_planned(at_s, number, kind, held.merchant_id, held.payment_key)

    def _apply_planned(
        self, at_s: float, number: int, kind: str, merchant_id: str, payment_key: str
    ) -> None:
        self._agenda_number = number
        heapq.heappush(self._agenda, (at_s, number, kind, merchant_id, payment_key))

    def next_planned_at(self) -> float | None:
        return self._agenda[0][0] if self._agenda else None

    def take_planned(self) -> tuple[str, Held] | None:
        """The next thing whose time has come, as (kind, payment)."""
        while self._agenda and self._agenda[0][0] <= self.now():
            _, number, kind, merchant_id, payment_key = heapq.heappop(self._agenda)
            self._record("ran", number)
            held = self.merchant(merchant_id).payments.get(payment_key)
            if held is None:
                held = self._adopted(payment_key) if merchant_id == _NO_MERCHANT else None
            if held is not None:
                return kind, held
        return None

    def _adopted(self, payment_key: str) -> Held | None:
        for merchant in self.merchants.values():
            if payment_key in merchant.payments:
                return merchant.payments[payment_key]
        return None

    def _record(self, *fact: Any) -> None:
        self._act.append(to_json(fact))


def _transaction_of(payment_key: str, fact: Sequence[Any]) -> Transaction:
    key, at_s, amount, status = fact
    return Transaction(key, at_s, amount, status, payment_key)


def merchant_id_of(secret_key: str) -> str:
    """A stable mId (at most 14 characters, as the vendor's) for an API key."""
    return "sb" + hashlib.blake2b(secret_key.encode(), digest_size=6).hexdigest()
