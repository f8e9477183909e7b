"""What every payment gateway can be asked, in plain values: no ORM object crosses this line."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic
from typing import Any, ClassVar

from opsapp.kernel.db import require_no_transaction
from opsapp.kernel.money import Money


class Outcome(StrEnum):
    APPROVED = "approved"
    PENDING = "pending"  # a definite in-between: the customer has to pay in
    DECLINED = "declined"  # definitely no money moved, by a code of the failure table
    CONFLICT = "conflict"  # already paid, duplicate order: only an inquiry decides
    MISCONFIGURED = "misconfigured"  # our key, contract or request is wrong; nothing moved
    NOT_FOUND = "not_found"  # inquiry: the gateway does not know this order
    NOT_SENT = "not_sent"  # nothing left the building, or the gateway turned it away unread
    UNKNOWN = "unknown"  # anything else: money may or may not have moved


class FailureClass(StrEnum):
    """The seven classes of facts/failure codes; only the first two are the customer's."""

    AUTHENTICATION = "authentication_failure"
    EXPIRED = "expired_or_suspended"
    GATEWAY = "gateway_error"
    FRAUD = "fraud_suspected"
    CUSTOMER_CANCELLED = "customer_cancelled"
    CONFIGURATION = "configuration_error"
    CONFLICT = "state_conflict"


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """`body` is the stored bytes of the attempt: a replay sends the very same ones.

    `call_before` is monotonic: nothing is sent later, because the lease might not outlive it.
    """

    method_kind: str  # virtual_account: an account is asked for instead of a charge
    gateway_order_id: str
    idempotency_key: str
    body: bytes
    billing_key: str | None
    call_before: float


@dataclass(frozen=True, slots=True)
class ChargeBody:
    """`method_kind` virtual_account asks for an account to pay into instead of a charge."""

    method_kind: str
    gateway_order_id: str
    title: str
    amount: Money
    customer_key: str
    customer_name: str


@dataclass(frozen=True, slots=True)
class RefundRequest:
    gateway_key: str
    idempotency_key: str
    amount: Money
    refundable_before: Money  # the gateway refuses if it holds another figure
    reason: str
    call_before: float  # monotonic, as in ChargeRequest


@dataclass(frozen=True, slots=True)
class BillingKeyRequest:
    customer_key: str
    auth_key: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class BillingKey:
    billing_key: str
    label: str
    first6: str | None
    last4: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """A virtual account to pay into until `due_at`."""

    bank: str
    number: str
    due_at: datetime
    secret: str | None
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, understood. `code` is the gateway's own, `because` a plain sentence."""

    outcome: Outcome
    because: str = ""
    gateway_key: str | None = None
    amount: Money | None = None
    refunded: Money | None = None  # what the gateway has given back so far
    code: str | None = None
    failure_class: str | None = None
    retry_mode: str | None = None
    approval_number: str | None = None
    receipt_url: str | None = None
    transaction_key: str | None = None  # of the cancel that an answer to a refund is about
    trace_id: str | None = None
    account: Account | None = None
    billing_key: BillingKey | None = None


@dataclass(frozen=True, slots=True)
class GatewayTransaction:
    """One approval (positive) or cancel (negative) in the gateway's own books."""

    gateway_order_id: str
    gateway_key: str
    transaction_key: str
    amount: Money
    at: datetime


# Nothing can be asked of a gateway without the key; the customer has to register another method.
METHOD_GONE = Answer(
    Outcome.DECLINED,
    "the payment method is gone",
    code="METHOD_GONE",
    failure_class=FailureClass.EXPIRED,
    retry_mode="none",
)


class Gateway(ABC):
    """An adapter declares what its company promises, and fills in the blanks.

    Every public method refuses to run inside a transaction and never raises for what the
    network or the gateway does: that is an `Answer`.
    """

    name: ClassVar[str]
    # How long an idempotency key is honoured, less a reserve; None: not at all.
    replay_window: ClassVar[timedelta | None]
    timeout_s: float  # longest wait for one answer
    inquiry_timeout_s: float
    abreast_max: int  # calls in flight that this process may have
    rate_per_s_max: float  # calls a second that this process may begin; 0: no limit is named
    _next_call_at = 0.0

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold connections open for the calls made inside; they belong to one event loop."""
        yield

    @abstractmethod
    def charge_body(self, charge: ChargeBody) -> bytes:
        """The bytes of a charge, fixed once and stored with the attempt."""

    async def charge(self, request: ChargeRequest) -> Answer:
        require_no_transaction()
        if not await self._may_send(request.call_before):
            return Answer(Outcome.NOT_SENT, "the lease is too old to send")
        if request.billing_key is None and request.method_kind != "virtual_account":
            return METHOD_GONE
        return await self._charge(request)

    async def inquire(self, gateway_order_id: str) -> Answer:
        require_no_transaction()
        await self._pace()
        return await self._inquire(gateway_order_id)

    async def refund(self, request: RefundRequest) -> Answer:
        """Give money back. A repeat under the same key gives it back once."""
        require_no_transaction()
        if not await self._may_send(request.call_before):
            return Answer(Outcome.NOT_SENT, "the lease is too old to send")
        return await self._refund(request)

    async def issue_billing_key(self, request: BillingKeyRequest) -> Answer:
        """APPROVED carries `billing_key`. A repeat under the same key issues one."""
        require_no_transaction()
        await self._pace()
        return await self._issue_billing_key(request)

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """The gateway's own books. Raises GatewayAway when they cannot be read whole."""
        require_no_transaction()
        return await self._list_transactions(since, until)

    async def _may_send(self, call_before: float) -> bool:
        """Looked at after waiting for a place under the rate limit: that may take long."""
        await self._pace()
        return monotonic() <= call_before

    async def _pace(self) -> None:
        """Keep under the gateway's rate limit by spacing the calls of this process."""
        if not self.rate_per_s_max:
            return
        slot = max(monotonic(), self._next_call_at)
        self._next_call_at = slot + 1 / self.rate_per_s_max
        await asyncio.sleep(slot - monotonic())

    @abstractmethod
    async def _charge(self, request: ChargeRequest) -> Answer: ...

    @abstractmethod
    async def _inquire(self, gateway_order_id: str) -> Answer: ...

    @abstractmethod
    async def _refund(self, request: RefundRequest) -> Answer: ...

    @abstractmethod
    async def _issue_billing_key(self, request: BillingKeyRequest) -> Answer: ...

    @abstractmethod
    async def _list_transactions(
        self, since: datetime, until: datetime
    ) -> list[GatewayTransaction]: ...


class GatewayAway(Exception):
    """The gateway's books could not be read; nothing is known about them."""


def as_log_fields(answer: Answer) -> dict[str, Any]:
    """What of an answer may stand in the log: codes and references, never keys or numbers."""
    return {
        name: value
        for name in ("code", "failure_class", "approval_number", "trace_id")
        if (value := getattr(answer, name)) is not None
    }
