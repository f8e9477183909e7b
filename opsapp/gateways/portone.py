"""PortOne V2 (developers.portone.io, REST API V2), which passes on to the gateway of a channel.

A payment is named by us (`paymentId` = our order id), so that name is the gateway key as well.
The answer to a charge tells neither amount nor state: the payment is read right after it, and only
what that shows counts. Refusals of the gateway behind come as HTTP 502 PG_PROVIDER with its own
`pgCode`; decisions go by code, never by HTTP status, except 429 (turned away unread).

Capabilities: an idempotency key holds 3 hours (REST API V2, Idempotency-Key), and whether it keeps
error answers too is not documented, so it is taken not to. Mobile payments of an earlier month
and deposits are given back to a bank account (CancelPaymentBody.refundAccount). No least amounts
and no longest life of a virtual account are named: they are the channel's; 30 days is ours.
Settlements: REST offers VAT reports only.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import ClassVar
from urllib.parse import quote, urlencode

from opsapp.gateways import failures, portone_objects, portone_requests, portone_webhooks
from opsapp.gateways.base import GatewayAway
from opsapp.gateways.http import HttpGateway, Limits, Reply, as_json
from opsapp.gateways.portone_names import OWN_SOURCE, PAY_METHODS, read_channels
from opsapp.gateways.values import (
    AccountClosing,
    Answer,
    BillingKeyDeletion,
    BillingKeyRequest,
    Capabilities,
    CashReceiptCancel,
    CashReceiptRequest,
    ChargeBody,
    ChargeRequest,
    FailureClass,
    Flow,
    GatewayTransaction,
    Inquiry,
    Outcome,
    RefundRequest,
    WebhookMessage,
    Window,
    WindowRequest,
)

ROWS_PER_PAGE = 1000
SCRIPT_URL = "https://cdn.portone.io/v2/browser-sdk.js"
_BILLING_KEY_GONE = ("BILLING_KEY_NOT_FOUND", "BILLING_KEY_ALREADY_DELETED")


class PortOneGateway(HttpGateway):
    name: ClassVar[str] = "portone"
    failure_sources: ClassVar[tuple[str, ...]] = ("portone_pg_kcp", "portone", "toss_api")
    capabilities: ClassVar[Capabilities] = Capabilities(
        window_methods=frozenset(PAY_METHODS),
        billing_methods=frozenset({"card", "easy_pay"}),
        issues_accounts=True,
        currencies=frozenset({"KRW"}),
        minimum_minor={},
        partial_refunds=frozenset({"card", "transfer", "easy_pay", "virtual_account"}),
        same_month_refunds=frozenset({"mobile"}),
        account_refunds=frozenset({"virtual_account"}),
        cash_receipts=frozenset({"transfer", "virtual_account"}),
        replay_window=timedelta(hours=2, minutes=30),
        replays_errors=False,
        inquires_by_order_id=True,
        quarantine=None,
        confirms_on_return=False,
        refund_lock=True,
        signs_webhooks=True,
        account_life_max=timedelta(days=30),
    )

    def __init__(
        self,
        *,
        url: str,
        secret: str,
        limits: Limits,
        channels: str,
        store_id: str = "",
        webhook_secret: str = "",
        window_url: str = "",
    ) -> None:
        """`channels` as in settings; `window_url`: a page in place of the vendor's script."""
        headers = {"Authorization": f"PortOne {secret}", "Content-Type": "application/json"}
        super().__init__(url=url, headers=headers, limits=limits)
        self._channels = read_channels(channels)
        self._store = {"storeId": store_id} if store_id else {}
        self._webhook_secret = webhook_secret
        self._window_url = window_url
        offered, kinds = type(self).capabilities, frozenset(self._channels)
        # What an installation has no channel for, it cannot take.
        self.capabilities = replace(  # type: ignore[misc]
            offered,
            window_methods=offered.window_methods & kinds,
            billing_methods=offered.billing_methods & kinds,
            issues_accounts="virtual_account" in kinds,
        )

    def charge_body(self, charge: ChargeBody) -> bytes:
        """Without the billing key: that is sealed beside the method, and put in when it is sent."""
        if charge.flow is Flow.WINDOW:
            return as_json({"paymentId": charge.gateway_order_id})
        channel = self._channels.get(charge.method_kind)
        return as_json(self._store | portone_requests.charge_fields(charge, channel))

    def parse_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> WebhookMessage:
        return portone_webhooks.parse(headers, body, secret=self._webhook_secret, now=now)

    async def _charge(self, request: ChargeRequest) -> Answer:
        if request.flow is Flow.WINDOW:
            return await self._inquire(
                Inquiry(request.gateway_order_id, request.gateway_key, request.flow)
            )
        began = monotonic()
        fields = json.loads(request.body)
        if request.flow is Flow.BILLING:
            fields["billingKey"] = request.billing_key
        reply = await self._call(
            "POST",
            _of(request.gateway_order_id, "instant" if "method" in fields else "billing-key"),
            body=as_json(fields),
            key=request.idempotency_key,
            provider=self._provider(fields.get("channelKey")),
        )
        if isinstance(reply, Answer):
            return reply
        # The lease covers one longest call: reading shares its time with the charge.
        left_s = self.timeout_s - (monotonic() - began)
        return await self._read_after_charge(request.gateway_order_id, left_s)

    async def _read_after_charge(self, payment_id: str, left_s: float) -> Answer:
        """Only what stands in the payment counts; a contradiction is looked at once more later."""
        if left_s <= 0:
            return Answer(Outcome.UNKNOWN, "accepted, and not read in time")
        answer = await self._read(payment_id, timeout_s=min(left_s, self.inquiry_timeout_s))
        if answer.outcome in (Outcome.APPROVED, Outcome.PENDING):
            return answer
        return Answer(Outcome.UNKNOWN, f"accepted, but then: {answer.because}", code=answer.code)

    async def _inquire(self, inquiry: Inquiry) -> Answer:
        return await self._read(inquiry.gateway_order_id, timeout_s=self.inquiry_timeout_s)

    async def _read(self, payment_id: str, *, timeout_s: float) -> Answer:
        path = _of(payment_id) + self._store_query()
        reply = await self._call("GET", path, timeout_s=timeout_s)
        if not isinstance(reply, Answer):
            return portone_objects.understand_payment(reply.body, payment_id=payment_id)
        if reply.outcome is Outcome.NOT_SENT:
            return reply
        if reply.code == "PAYMENT_NOT_FOUND":
            return replace(reply, outcome=Outcome.NOT_FOUND)
        # A refused question says nothing about the charge it asked for.
        return Answer(Outcome.UNKNOWN, f"the inquiry failed ({reply.code})", code=reply.code)

    async def _refund(self, request: RefundRequest) -> Answer:
        try:
            fields = self._store | portone_requests.cancel_fields(request)
        except KeyError:
            return _refused("REFUND_BANK_UNKNOWN", "PortOne has no word for this bank")
        reply = await self._call(
            "POST",
            _of(request.gateway_key, "cancel"),
            body=as_json(fields),
            key=request.idempotency_key,
        )
        if isinstance(reply, Answer):
            return reply
        return portone_objects.understand_cancel(reply.body, request)

    async def _close_account(self, closing: AccountClosing) -> Answer:
        path = _of(closing.gateway_order_id, "virtual-account/close") + self._store_query()
        reply = await self._call("POST", path, key=closing.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return Answer(Outcome.APPROVED, "the account was closed")

    async def _open_window(self, request: WindowRequest) -> Answer:
        """The amount is fixed at PortOne first: what the browser says then changes nothing."""
        channel = self._channels.get(request.method_kind)
        if channel is None:
            return failures.classify([(OWN_SOURCE, "CHANNEL_NOT_FOUND")])
        fixed = {
            **self._store,
            "totalAmount": request.amount.minor,
            "currency": request.amount.currency,
        }
        path = _of(request.gateway_order_id, "pre-register")
        reply = await self._call("POST", path, body=as_json(fixed), key=request.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        fields = self._store | portone_requests.window_fields(request, channel)
        if self._window_url:
            flat = {name: value for name, value in fields.items() if name != "customer"}
            window = Window(redirect_url=f"{self._window_url}?{urlencode(flat)}")
        else:
            window = Window(script_url=SCRIPT_URL, vendor="portone", fields=fields)
        return Answer(
            Outcome.PREPARED,
            "the window is ready",
            gateway_key=request.gateway_order_id,
            window=window,
        )

    async def _issue_billing_key(self, request: BillingKeyRequest) -> Answer:
        """The browser was given the key itself; it is read to see whose it is."""
        path = f"/billing-keys/{quote(request.auth_key, safe='')}" + self._store_query()
        reply = await self._call("GET", path)
        if isinstance(reply, Answer):
            return reply
        return portone_objects.understand_billing_key(
            reply.body, billing_key=request.auth_key, customer_key=request.customer_key
        )

    async def _delete_billing_key(self, deletion: BillingKeyDeletion) -> Answer:
        path = f"/billing-keys/{quote(deletion.billing_key, safe='')}" + self._store_query()
        reply = await self._call("DELETE", path, key=deletion.idempotency_key)
        if not isinstance(reply, Answer):
            return Answer(Outcome.APPROVED, "the billing key was deleted")
        if reply.code in _BILLING_KEY_GONE:
            return replace(reply, outcome=Outcome.NOT_FOUND)
        return reply

    async def _issue_cash_receipt(self, request: CashReceiptRequest) -> Answer:
        kinds = ("cash_receipt", "virtual_account", "transfer")
        channel = next((self._channels[kind] for kind in kinds if kind in self._channels), None)
        if channel is None:
            return failures.classify([(OWN_SOURCE, "CHANNEL_NOT_FOUND")])
        reply = await self._call(
            "POST",
            "/cash-receipts",
            body=as_json({**self._store, **portone_requests.receipt_fields(request, channel)}),
            key=request.idempotency_key,
            provider=channel.provider,
        )
        if isinstance(reply, Answer):
            return reply
        summary = reply.body.get("cashReceipt") if isinstance(reply.body, dict) else None
        return portone_objects.understand_receipt(summary, receipt_key=request.gateway_order_id)

    async def _cancel_cash_receipt(self, cancel: CashReceiptCancel) -> Answer:
        """PortOne cancels a receipt whole: a part of one is refused before anything is sent."""
        path = _of(cancel.receipt_key, "cash-receipt") + self._store_query()
        known = await self._call("GET", path, timeout_s=self.inquiry_timeout_s)
        if isinstance(known, Answer):
            return _as_not_found(known)
        if not portone_objects.is_receipt_over(known.body, cancel.amount):
            return _refused("CASH_RECEIPT_WHOLE_ONLY", "a cash receipt is cancelled whole")
        path = _of(cancel.receipt_key, "cash-receipt/cancel") + self._store_query()
        reply = await self._call("POST", path, key=cancel.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return await self._find_receipt(cancel.receipt_key)

    async def _find_cash_receipt(self, receipt_key: str, requested_on: date) -> Answer:
        return await self._find_receipt(receipt_key)

    async def _find_receipt(self, receipt_key: str) -> Answer:
        path = _of(receipt_key, "cash-receipt") + self._store_query()
        reply = await self._call("GET", path, timeout_s=self.inquiry_timeout_s)
        if not isinstance(reply, Answer):
            return portone_objects.understand_receipt(reply.body, receipt_key=receipt_key)
        return _as_not_found(reply)

    async def _list_transactions(
        self, since: datetime, until: datetime
    ) -> list[GatewayTransaction]:
        wanted = {
            **self._store,
            "from": since.astimezone(UTC).isoformat(),
            "until": until.astimezone(UTC).isoformat(),
            "size": ROWS_PER_PAGE,
        }
        found: list[GatewayTransaction] = []
        after: dict[str, str] = {}
        while True:
            asked = urlencode({"requestBody": as_json(wanted | after).decode()})
            path = f"/payment-events-by-cursor?{asked}"
            reply = await self._page(partial(self._call, "GET", path))
            try:
                rows = reply.body["items"]
                found += [portone_objects.understand_event(row["paymentEvent"]) for row in rows]
                if len(rows) < ROWS_PER_PAGE:
                    return found
                if after == (after := {"cursor": rows[-1]["cursor"]}):
                    raise GatewayAway("the list goes round in a circle")
            except portone_objects.UNREADABLE as trouble:
                raise GatewayAway("the list of payment events cannot be read") from trouble

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        key: str = "",
        timeout_s: float = 0,
        provider: str | None = None,
    ) -> Reply | Answer:
        """A reply is a success to be understood; everything else is an Answer."""
        headers = {"Idempotency-Key": f'"{key}"'} if key else {}  # a string of RFC 8941
        reply = await self._ask(method, path, body=body, headers=headers, timeout_s=timeout_s)
        if isinstance(reply, Answer) or reply.is_success:
            return reply
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            return Answer(Outcome.NOT_SENT, "too many requests")
        behind = self._provider() if provider is None else provider
        return portone_objects.understand_error(reply.status, reply.body, provider=behind)

    def _provider(self, channel_key: str | None = None) -> str:
        """The gateway behind a channel, or the one that all channels share; "" if unknown."""
        named = {c.provider for c in self._channels.values() if channel_key in (None, c.key)}
        return named.pop() if len(named) == 1 else ""

    def _store_query(self) -> str:
        return f"?{urlencode(self._store)}" if self._store else ""


def _of(payment_id: str, what: str = "") -> str:
    return f"/payments/{quote(payment_id, safe='')}" + (f"/{what}" if what else "")


def _as_not_found(answer: Answer) -> Answer:
    is_missing = answer.code == "CASH_RECEIPT_NOT_FOUND"
    return replace(answer, outcome=Outcome.NOT_FOUND) if is_missing else answer


def _refused(code: str, because: str) -> Answer:
    """Nothing is sent: PortOne would refuse the whole request, or do more than was asked."""
    return Answer(
        Outcome.DECLINED,
        because,
        code=code,
        failure_class=FailureClass.CONFLICT,
        retry_mode="after_fix",
    )
