"""Toss Payments, core API of 2022-11-16 (docs.tosspayments.com/reference).

No Accept-Language is sent: the Korean enum values of the default are what is parsed here.
Decisions go by `code`, never by HTTP status, except 429 (turned away unread).

Capabilities: least amounts 100 won by card and 200 won by account; an idempotency key holds 15
days and keeps error answers too; a virtual account waits 90 days at most; a mobile payment is
cancelled whole and in its own month only; ordinary payment webhooks are not signed.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlencode

from opsapp.gateways import toss_objects, toss_rows, toss_webhooks
from opsapp.gateways.base import GatewayAway
from opsapp.gateways.http import HttpGateway, Limits, Reply, as_json
from opsapp.gateways.toss_fields import shown
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
    Flow,
    GatewayTransaction,
    Inquiry,
    Outcome,
    RefundRequest,
    RegistrationRequest,
    SettledTransaction,
    WebhookMessage,
    Window,
    WindowRequest,
)
from opsapp.kernel.clock import SEOUL

R = TypeVar("R")

TITLE_LENGTH_MAX = 100  # orderName
REASON_LENGTH_MAX = 200  # cancelReason
ROWS_PER_PAGE = 5000
ACCOUNT_BANK = "20"  # Woori; a merchant's contract names the banks it may use
ACCOUNT_LIFE = timedelta(hours=168)
SCRIPT_URL = "https://js.tosspayments.com/v2/standard"


_OWN_BANKS = {"04": "06"}  # where its bank codes are not those of the clearing house


class TossGateway(HttpGateway):
    name: ClassVar[str] = "toss"
    failure_sources: ClassVar[tuple[str, ...]] = ("toss_api", "toss_sdk")
    capabilities: ClassVar[Capabilities] = Capabilities(
        window_methods=frozenset({"card", "transfer", "easy_pay", "mobile", "virtual_account"}),
        billing_methods=frozenset({"card", "transfer", "easy_pay"}),
        issues_accounts=True,
        currencies=frozenset({"KRW"}),
        minimum_minor={
            ("card", "KRW"): 100,
            ("easy_pay", "KRW"): 100,
            ("transfer", "KRW"): 200,
            ("virtual_account", "KRW"): 200,
        },
        partial_refunds=frozenset({"card", "transfer", "easy_pay", "virtual_account"}),
        same_month_refunds=frozenset({"mobile"}),
        account_refunds=frozenset({"virtual_account"}),
        cash_receipts=frozenset({"transfer", "virtual_account"}),
        replay_window=timedelta(days=14),  # 15 by the documentation; a day in reserve
        replays_errors=True,
        inquires_by_order_id=True,
        quarantine=None,
        confirms_on_return=True,
        refund_lock=True,
        signs_webhooks=False,
        account_life_max=timedelta(days=90),
        registration_methods=frozenset({"card", "transfer"}),
    )

    def __init__(
        self,
        *,
        url: str,
        secret_key: str,
        limits: Limits,
        client_key: str = "",
        window_url: str = "",
        security_key: str = "",
    ) -> None:
        """`window_url`: a page of ours in place of the vendor's script (the sandbox's)."""
        authorization = "Basic " + b64encode(f"{secret_key}:".encode()).decode()
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        super().__init__(url=url, headers=headers, limits=limits)
        self._client_key = client_key
        self._window_url = window_url
        self._security_key = security_key

    def charge_body(self, charge: ChargeBody) -> bytes:
        fields: dict[str, Any] = {
            "amount": charge.amount.minor,
            "orderId": charge.gateway_order_id,
        }
        if charge.flow is Flow.WINDOW:
            return as_json({"paymentKey": charge.gateway_key} | fields)
        fields |= {
            "orderName": charge.title[:TITLE_LENGTH_MAX],
            "customerName": charge.customer_name[:TITLE_LENGTH_MAX],
        }
        if charge.flow is Flow.ACCOUNT:
            hours = (charge.account_life or ACCOUNT_LIFE) // timedelta(hours=1)
            bank = charge.bank or ACCOUNT_BANK
            fields |= {"bank": _OWN_BANKS.get(bank, bank), "validHours": max(1, hours)}
        else:
            fields |= {"customerKey": charge.customer_key}
        return as_json(fields)

    def parse_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> WebhookMessage:
        return toss_webhooks.parse(headers, body, security_key=self._security_key)

    async def _charge(self, request: ChargeRequest) -> Answer:
        path = {
            Flow.ACCOUNT: "/v1/virtual-accounts",
            Flow.WINDOW: "/v1/payments/confirm",
            Flow.BILLING: f"/v1/billing/{quote(request.billing_key or '', safe='')}",
        }[request.flow]
        reply = await self._call("POST", path, body=request.body, key=request.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return toss_objects.understand_payment(
            reply.body,
            trace_id=_trace(reply),
            order_id=request.gateway_order_id,
            gateway_key=request.gateway_key,
        )

    async def _inquire(self, inquiry: Inquiry) -> Answer:
        path = f"/v1/payments/orders/{quote(inquiry.gateway_order_id, safe='')}"
        reply = await self._call("GET", path, timeout_s=self.inquiry_timeout_s)
        if not isinstance(reply, Answer):
            return toss_objects.understand_payment(
                reply.body, trace_id=_trace(reply), order_id=inquiry.gateway_order_id
            )
        if reply.code in toss_objects.NOT_FOUND_CODES:
            return replace(reply, outcome=Outcome.NOT_FOUND)
        return _about_the_question(reply)

    async def _refund(self, request: RefundRequest) -> Answer:
        fields: dict[str, Any] = {
            "cancelReason": request.reason[:REASON_LENGTH_MAX],
            "cancelAmount": request.amount.minor,
            "refundableAmount": request.refundable_before.minor,
        }
        if (account := request.account) is not None:
            fields["refundReceiveAccount"] = {
                "bank": _OWN_BANKS.get(account.bank, account.bank),
                "accountNumber": account.number,
                "holderName": account.holder,
            }
        reply = await self._cancel(request.gateway_key, fields, request.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return toss_objects.understand_cancel(
            reply.body, trace_id=_trace(reply), gateway_key=request.gateway_key
        )

    async def _close_account(self, closing: AccountClosing) -> Answer:
        fields = {"cancelReason": closing.reason[:REASON_LENGTH_MAX]}
        reply = await self._cancel(closing.gateway_key, fields, closing.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return toss_objects.understand_closing(
            reply.body, trace_id=_trace(reply), gateway_key=closing.gateway_key
        )

    async def _open_window(self, request: WindowRequest) -> Answer:
        """Nothing is asked of the gateway: its window names the payment when it is opened."""
        fields = {
            "clientKey": self._client_key,
            "customerKey": request.customer_key,
            "method": request.method_kind,
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "orderId": request.gateway_order_id,
            "orderName": request.title[:TITLE_LENGTH_MAX],
            "customerName": request.customer_name[:TITLE_LENGTH_MAX],
            "successUrl": request.success_url,
            "failUrl": request.fail_url,
        }
        if self._window_url:
            del fields["customerName"]  # addresses are written down on their way
            query = urlencode(fields | {"lang": request.locale})
            window = Window(redirect_url=f"{self._window_url}?{query}")
        else:
            window = Window(script_url=SCRIPT_URL, vendor="toss", fields=fields)
        return Answer(Outcome.PREPARED, "the window is ready", window=window)

    async def _open_registration(self, request: RegistrationRequest) -> Answer:
        """Its script's requestBillingAuth; nothing is asked of the gateway before the return."""
        fields = {
            "clientKey": self._client_key,
            "customerKey": request.customer_key,
            "method": request.method_kind,
            "successUrl": request.success_url,
            "failUrl": request.fail_url,
        }
        if self._window_url:
            query = urlencode(fields | {"lang": request.locale})
            window = Window(redirect_url=f"{self._window_url}/billing?{query}")
        else:
            fields["asks"] = "registration"
            window = Window(script_url=SCRIPT_URL, vendor="toss", fields=fields)
        return Answer(Outcome.PREPARED, "the window is ready", window=window)

    async def _issue_billing_key(self, request: BillingKeyRequest) -> Answer:
        body = as_json({"authKey": request.auth_key, "customerKey": request.customer_key})
        path = "/v1/billing/authorizations/issue"
        reply = await self._call("POST", path, body=body, key=request.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return toss_objects.understand_billing(
            reply.body, trace_id=_trace(reply), customer_key=request.customer_key
        )

    async def _delete_billing_key(self, deletion: BillingKeyDeletion) -> Answer:
        path = f"/v1/billing/{quote(deletion.billing_key, safe='')}"
        reply = await self._call("DELETE", path, key=deletion.idempotency_key)
        if isinstance(reply, Answer):
            return toss_objects.understand_refused_deletion(reply)
        return toss_objects.understand_deletion(reply.body, trace_id=_trace(reply))

    async def _issue_cash_receipt(self, request: CashReceiptRequest) -> Answer:
        body = as_json(toss_rows.receipt_fields(request))
        reply = await self._call(
            "POST", "/v1/cash-receipts", body=body, key=request.idempotency_key
        )
        if isinstance(reply, Answer):
            return reply
        return toss_rows.understand_receipt(reply.body, trace_id=_trace(reply))

    async def _cancel_cash_receipt(self, cancel: CashReceiptCancel) -> Answer:
        path = f"/v1/cash-receipts/{quote(cancel.receipt_key, safe='')}/cancel"
        body = as_json({"amount": cancel.amount.minor})
        reply = await self._call("POST", path, body=body, key=cancel.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return toss_rows.understand_receipt(reply.body, trace_id=_trace(reply))

    async def _find_cash_receipt(self, receipt_key: str, requested_on: date) -> Answer:
        query, cursor = f"requestDate={requested_on.isoformat()}&limit=10000", 0
        while True:
            path = f"/v1/cash-receipts?{query}" + (f"&cursor={cursor}" * bool(cursor))
            reply = await self._call("GET", path, timeout_s=self.inquiry_timeout_s)
            if isinstance(reply, Answer):
                return _about_the_question(reply)
            page = toss_rows.understand_receipts(reply.body)
            if isinstance(page, Answer):
                return page
            if (found := page.by_key.get(receipt_key)) is not None:
                return found
            if page.next_cursor <= cursor:
                return Answer(Outcome.NOT_FOUND, "the gateway does not know the receipt")
            cursor = page.next_cursor

    async def _list_transactions(
        self, since: datetime, until: datetime
    ) -> list[GatewayTransaction]:
        found: list[GatewayTransaction] = []
        after = ""
        while True:
            query = f"startDate={_seoul(since)}&endDate={_seoul(until)}&limit={ROWS_PER_PAGE}"
            query += f"&startingAfter={quote(after, safe='')}" * bool(after)
            page = await self._rows(f"/v1/transactions?{query}", toss_rows.understand_transaction)
            _check_goes_on(found, page)
            found += page
            if len(page) < ROWS_PER_PAGE:
                return found
            after = page[-1].transaction_key

    async def _list_settlements(self, sold_on: date) -> list[SettledTransaction]:
        found: list[SettledTransaction] = []
        number, day = 1, sold_on.isoformat()
        while True:
            query = f"startDate={day}&endDate={day}&size={ROWS_PER_PAGE}&page={number}"
            page = await self._rows(f"/v1/settlements?{query}", toss_rows.understand_settlement)
            _check_goes_on(found, page)
            found += page
            if len(page) < ROWS_PER_PAGE:
                return found
            number += 1

    async def _rows(self, path: str, understand: Callable[[Any], R]) -> list[R]:
        reply = await self._page(partial(self._call, "GET", path))
        return toss_rows.understand_each(reply.body, understand)

    async def _cancel(
        self, gateway_key: str, fields: Mapping[str, Any], idempotency_key: str
    ) -> Reply | Answer:
        path = f"/v1/payments/{quote(gateway_key, safe='')}/cancel"
        return await self._call("POST", path, body=as_json(fields), key=idempotency_key)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        key: str = "",
        timeout_s: float = 0,
    ) -> Reply | Answer:
        """A reply is a success to be understood; everything else is an Answer."""
        headers = {"Idempotency-Key": key} if key else {}
        reply = await self._ask(method, path, body=body, headers=headers, timeout_s=timeout_s)
        if isinstance(reply, Answer) or reply.status == HTTPStatus.OK:
            return reply
        return toss_objects.understand_error(reply.status, reply.body, _trace(reply))


def _trace(reply: Reply) -> str | None:
    return shown(reply.headers.get("x-tosspayments-trace-id"))


def _about_the_question(answer: Answer) -> Answer:
    """A refused question says nothing about what it asked for."""
    if answer.outcome is Outcome.NOT_SENT:
        return answer
    because = f"the inquiry failed ({answer.code})"
    return replace(answer, outcome=Outcome.UNKNOWN, because=because)


def _check_goes_on(found: Sequence[R], page: Sequence[R]) -> None:
    """A list that gives a full page again instead of the next would never end."""
    if len(page) == ROWS_PER_PAGE and found and found[-1] == page[-1]:
        raise GatewayAway("the list repeats itself")


def _seoul(moment: datetime) -> str:
    return moment.astimezone(UTC).astimezone(SEOUL).strftime("%Y-%m-%dT%H:%M:%S")
