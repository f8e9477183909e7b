"""What every payment gateway can be asked."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime
from time import monotonic
from typing import Any, ClassVar

from opsapp.gateways.values import (
    METHOD_GONE,
    AccountClosing,
    Answer,
    BillingKeyDeletion,
    BillingKeyRequest,
    Capabilities,
    CashReceiptCancel,
    CashReceiptRequest,
    ChargeBody,
    ChargeRequest,
    Flow,
    GatewayTransaction,
    Inquiry,
    Outcome,
    RefundRequest,
    RegistrationRequest,
    SettledTransaction,
    WebhookMessage,
    WindowRequest,
)
from opsapp.kernel.db import require_no_transaction


class WebhookRefused(Exception):
    """Not readable, not signed by the vendor, or too old: nothing is stored."""


class GatewayAway(Exception):
    """The gateway's books could not be read; nothing is known about them."""


class NotOffered(Exception):
    """A programming error: the gateway was asked for what its capabilities do not name."""


class Gateway(ABC):
    """An adapter declares what its company promises, and fills in the blanks.

    Every public method refuses to run inside a transaction and never raises for what the
    network or the gateway does: that is an `Answer`.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    # Sources of the failure table in the order in which its codes are looked up.
    failure_sources: ClassVar[tuple[str, ...]]
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

    @abstractmethod
    def parse_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> WebhookMessage:
        """Verify what the vendor signs and read the rest; `headers` in lower case.

        `now` is real time. Raises WebhookRefused. Waits for nothing.
        """

    async def charge(self, request: ChargeRequest) -> Answer:
        if request.billing_key is None and request.flow is Flow.BILLING:
            return METHOD_GONE
        return await self._changing(self._charge, request)

    async def inquire(self, inquiry: Inquiry) -> Answer:
        return await self._asking(self._inquire(inquiry))

    async def refund(self, request: RefundRequest) -> Answer:
        """Give money back. A repeat under the same key gives it back once."""
        return await self._changing(self._refund, request)

    async def close_account(self, closing: AccountClosing) -> Answer:
        """APPROVED: nothing can be paid in any more. CONFLICT: ask what has happened."""
        return await self._asking(self._close_account(closing))

    async def open_window(self, request: WindowRequest) -> Answer:
        """PREPARED carries `window`, and `gateway_key` where the gateway names it already."""
        return await self._asking(self._open_window(request))

    async def open_registration(self, request: RegistrationRequest) -> Answer:
        """PREPARED carries `window`; the auth key it ends with goes to `issue_billing_key`."""
        return await self._asking(self._open_registration(request))

    async def issue_billing_key(self, request: BillingKeyRequest) -> Answer:
        """APPROVED carries `billing_key`. A repeat under the same key issues one."""
        return await self._asking(self._issue_billing_key(request))

    async def delete_billing_key(self, deletion: BillingKeyDeletion) -> Answer:
        """APPROVED, or NOT_FOUND when it was gone already."""
        return await self._asking(self._delete_billing_key(deletion))

    async def issue_cash_receipt(self, request: CashReceiptRequest) -> Answer:
        """APPROVED or PENDING carries `cash_receipt`."""
        return await self._asking(self._issue_cash_receipt(request))

    async def cancel_cash_receipt(self, cancel: CashReceiptCancel) -> Answer:
        """APPROVED or PENDING carries the `cash_receipt` of the cancel, with its own key."""
        return await self._asking(self._cancel_cash_receipt(cancel))

    async def find_cash_receipt(self, receipt_key: str, *, requested_on: date) -> Answer:
        """What has become of one, by the Seoul day on which it was asked for."""
        return await self._asking(self._find_cash_receipt(receipt_key, requested_on))

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """The gateway's own books. Raises GatewayAway when they cannot be read whole."""
        require_no_transaction()
        return await self._list_transactions(since, until)

    async def list_settlements(self, sold_on: date) -> list[SettledTransaction]:
        """What was settled for the sales of one Seoul day. Raises GatewayAway."""
        require_no_transaction()
        return await self._list_settlements(sold_on)

    async def _changing(self, act: Any, request: ChargeRequest | RefundRequest) -> Answer:
        """The lease is looked at after waiting for a place under the rate limit."""
        require_no_transaction()
        await self._pace()
        if monotonic() > request.call_before:
            return Answer(Outcome.NOT_SENT, "the lease is too old to send")
        return await _timed(act(request))

    async def _asking(self, question: Awaitable[Answer]) -> Answer:
        require_no_transaction()
        await self._pace()
        return await _timed(question)

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
    async def _inquire(self, inquiry: Inquiry) -> Answer: ...

    @abstractmethod
    async def _refund(self, request: RefundRequest) -> Answer: ...

    @abstractmethod
    async def _open_window(self, request: WindowRequest) -> Answer: ...

    @abstractmethod
    async def _issue_billing_key(self, request: BillingKeyRequest) -> Answer: ...

    @abstractmethod
    async def _delete_billing_key(self, deletion: BillingKeyDeletion) -> Answer: ...

    @abstractmethod
    async def _list_transactions(
        self, since: datetime, until: datetime
    ) -> list[GatewayTransaction]: ...

    async def _open_registration(self, request: RegistrationRequest) -> Answer:
        raise NotOffered("registering at its own page")

    async def _close_account(self, closing: AccountClosing) -> Answer:
        raise NotOffered("virtual accounts")

    async def _issue_cash_receipt(self, request: CashReceiptRequest) -> Answer:
        raise NotOffered("cash receipts")

    async def _cancel_cash_receipt(self, cancel: CashReceiptCancel) -> Answer:
        raise NotOffered("cash receipts")

    async def _find_cash_receipt(self, receipt_key: str, requested_on: date) -> Answer:
        raise NotOffered("cash receipts")

    async def _list_settlements(self, sold_on: date) -> list[SettledTransaction]:
        raise NotOffered("settlements")


async def _timed(question: Awaitable[Answer]) -> Answer:
    began = monotonic()
    answer = await question
    answer.took_s = monotonic() - began
    return answer
