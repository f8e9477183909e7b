"""Toss Payments, core API of 2022-11-16 (docs.tosspayments.com/reference).

No Accept-Language is sent: the Korean enum values of the default are what is parsed here.
Decisions go by `code`, never by HTTP status, except 429 (turned away unread).
"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

import aiohttp

from opsapp.gateways import toss_objects
from opsapp.gateways.base import (
    Answer,
    BillingKeyRequest,
    ChargeBody,
    ChargeRequest,
    Gateway,
    GatewayAway,
    GatewayTransaction,
    Outcome,
    RefundRequest,
)
from opsapp.kernel.clock import SEOUL

CONNECT_TIMEOUT_S = 5
TITLE_LENGTH_MAX = 100  # orderName
REASON_LENGTH_MAX = 200  # cancelReason
TRANSACTIONS_PER_PAGE = 5000
ACCOUNT_BANK = "20"  # Woori; a merchant's contract names the banks it may use
ACCOUNT_VALID_HOURS = 168

_Reply = tuple[int, Any, str | None]  # HTTP status, parsed body, trace id


class TossGateway(Gateway):
    name: ClassVar[str] = "toss"
    # 15 days by the documentation; the last one is kept in reserve.
    replay_window: ClassVar[timedelta | None] = timedelta(days=14)

    def __init__(
        self,
        *,
        url: str,
        secret_key: str,
        timeout_s: float,
        inquiry_timeout_s: float,
        abreast_max: int,
        rate_per_s_max: float,
    ) -> None:
        self.timeout_s = timeout_s
        self.inquiry_timeout_s = inquiry_timeout_s
        self.abreast_max = abreast_max
        self._url = url.rstrip("/")
        self._authorization = "Basic " + b64encode(f"{secret_key}:".encode()).decode()
        self.rate_per_s_max = rate_per_s_max
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=self.abreast_max)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    def charge_body(self, charge: ChargeBody) -> bytes:
        fields: dict[str, Any] = {
            "amount": charge.amount.minor,
            "orderId": charge.gateway_order_id,
            "orderName": charge.title[:TITLE_LENGTH_MAX],
            "customerName": charge.customer_name[:TITLE_LENGTH_MAX],
        }
        if charge.method_kind == "virtual_account":
            fields |= {"bank": ACCOUNT_BANK, "validHours": ACCOUNT_VALID_HOURS}
        else:
            fields |= {"customerKey": charge.customer_key}
        return _as_json(fields)

    async def _charge(self, request: ChargeRequest) -> Answer:
        path = "/v1/virtual-accounts"
        if request.method_kind != "virtual_account":
            path = f"/v1/billing/{quote(request.billing_key or '', safe='')}"
        reply = await self._ask("POST", path, body=request.body, key=request.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return toss_objects.understand_payment(reply[1], trace_id=reply[2])

    async def _inquire(self, gateway_order_id: str) -> Answer:
        path = f"/v1/payments/orders/{gateway_order_id}"
        reply = await self._ask("GET", path, timeout_s=self.inquiry_timeout_s)
        if not isinstance(reply, Answer):
            return toss_objects.understand_payment(reply[1], trace_id=reply[2])
        if reply.outcome in (Outcome.NOT_FOUND, Outcome.NOT_SENT):
            return reply
        # A refused question says nothing about the charge it asked for.
        return Answer(Outcome.UNKNOWN, f"the inquiry failed ({reply.code})", code=reply.code)

    async def _refund(self, request: RefundRequest) -> Answer:
        body = {
            "cancelReason": request.reason[:REASON_LENGTH_MAX],
            "cancelAmount": request.amount.minor,
            "refundableAmount": request.refundable_before.minor,
        }
        reply = await self._ask(
            "POST",
            f"/v1/payments/{quote(request.gateway_key, safe='')}/cancel",
            body=_as_json(body),
            key=request.idempotency_key,
        )
        if isinstance(reply, Answer):
            return reply
        return toss_objects.understand_cancel(reply[1], trace_id=reply[2])

    async def _issue_billing_key(self, request: BillingKeyRequest) -> Answer:
        body = _as_json({"authKey": request.auth_key, "customerKey": request.customer_key})
        path = "/v1/billing/authorizations/issue"
        reply = await self._ask("POST", path, body=body, key=request.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return toss_objects.understand_billing(reply[1], trace_id=reply[2])

    async def _list_transactions(
        self, since: datetime, until: datetime
    ) -> list[GatewayTransaction]:
        found: list[GatewayTransaction] = []
        after = ""
        while True:
            query = f"startDate={_seoul(since)}&endDate={_seoul(until)}"
            query += f"&limit={TRANSACTIONS_PER_PAGE}" + (f"&startingAfter={after}" * bool(after))
            reply = await self._ask("GET", f"/v1/transactions?{query}")
            if isinstance(reply, Answer):
                raise GatewayAway(f"{reply.outcome}: {reply.because}")
            found += [toss_objects.understand_transaction(row) for row in reply[1]]
            if len(reply[1]) < TRANSACTIONS_PER_PAGE:
                return found
            after = found[-1].transaction_key

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        key: str = "",
        timeout_s: float = 0,
    ) -> _Reply | Answer:
        """One request. A reply is a success to be understood; everything else is an Answer."""
        try:
            status, parsed, trace_id = await self._send(
                method, path, body, key, timeout_s or self.timeout_s
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Answer(Outcome.NOT_SENT, "the gateway could not be reached")
        except (TimeoutError, aiohttp.ClientError, ValueError) as trouble:
            return Answer(Outcome.UNKNOWN, f"no readable answer ({type(trouble).__name__})")
        if status == HTTPStatus.OK:
            return status, parsed, trace_id
        return toss_objects.understand_error(status, parsed, trace_id)

    async def _send(
        self, method: str, path: str, body: bytes | None, key: str, timeout_s: float
    ) -> _Reply:
        if self._session is None:
            raise RuntimeError("calls are made inside connected()")
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        headers = {"Idempotency-Key": key} if key else {}
        async with self._session.request(
            method,
            self._url + path,
            data=body,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            raw = await response.read()
            trace_id = response.headers.get("x-tosspayments-trace-id")
            return response.status, json.loads(raw) if raw else {}, trace_id


def _as_json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _seoul(moment: datetime) -> str:
    return moment.astimezone(UTC).astimezone(SEOUL).strftime("%Y-%m-%dT%H:%M:%S")
