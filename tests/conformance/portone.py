"""Our PortOne adapter, and the vendor's own client, on the same double and the same merchant."""

import asyncio
import math
import secrets
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from portone_server_sdk import PaymentClient

from opsapp.gateways.http import Limits
from opsapp.gateways.portone import PortOneGateway
from opsapp.gateways.values import (
    Answer,
    BankAccount,
    ChargeBody,
    ChargeRequest,
    Flow,
    Inquiry,
    Outcome,
    RefundRequest,
    WindowRequest,
)
from opsapp.kernel.money import Money
from tests.fakes.servers import PortOneControls, portone_double

CUSTOMER = "customer-key-1"
WON = Money(9900, "KRW")
KCP = "card=channel-card@KCP_V2,virtual_account=channel-account@KCP_V2,mobile=channel-mobile@KCP_V2"
WEBHOOK_SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1kb3VibGU="


class Desk:
    """The adapter on one event loop and one kept connection, as a worker uses it."""

    def __init__(self, gateway: PortOneGateway, controls: PortOneControls, runner: Any) -> None:
        self.gateway = gateway
        self.controls = controls
        self._runner = runner

    def wait(self, question: Awaitable[Any]) -> Any:
        async def asked() -> Any:
            return await question

        return self._runner.run(asked())

    def together(self, *questions: Awaitable[Any]) -> list[Any]:
        async def asked() -> list[Any]:
            return await asyncio.gather(*questions)

        return self._runner.run(asked())

    def request(
        self,
        flow: Flow = Flow.BILLING,
        *,
        billing_key: str | None = None,
        kind: str = "card",
        amount: Money = WON,
    ) -> ChargeRequest:
        payment_id = f"op_{secrets.token_hex(12)}"
        body = ChargeBody(flow, kind, payment_id, "구독 1회차", amount, CUSTOMER, "김래원")
        return ChargeRequest(
            flow=flow,
            gateway_order_id=payment_id,
            idempotency_key=f"pay:{secrets.token_hex(12)}",
            body=self.gateway.charge_body(body),
            billing_key=billing_key,
            gateway_key=None,
            call_before=math.inf,
        )

    def charge(self, request: ChargeRequest) -> Answer:
        return self.wait(self.gateway.charge(request))

    def inquire(self, request: ChargeRequest) -> Answer:
        return self.wait(
            self.gateway.inquire(Inquiry(request.gateway_order_id, None, request.flow))
        )

    def paid(self) -> ChargeRequest:
        request = self.request(billing_key=self.controls.billing_key(CUSTOMER))
        assert self.charge(request).outcome is Outcome.APPROVED
        return request

    def account(self) -> ChargeRequest:
        request = self.request(Flow.ACCOUNT, kind="virtual_account")
        assert self.charge(request).outcome is Outcome.PENDING
        return request

    def refund(
        self, request: ChargeRequest, minor: int, *, before: int = WON.minor, **more: Any
    ) -> Answer:
        return self.wait(self.gateway.refund(self.refund_request(request, minor, before, **more)))

    def refund_request(
        self,
        request: ChargeRequest,
        minor: int,
        before: int = WON.minor,
        *,
        account: BankAccount | None = None,
    ) -> RefundRequest:
        return RefundRequest(
            gateway_key=request.gateway_order_id,
            idempotency_key=f"refund:{secrets.token_hex(12)}",
            amount=Money(minor, "KRW"),
            refundable_before=Money(before, "KRW"),
            reason="고객 요청",
            call_before=math.inf,
            account=account,
        )

    def window(self, kind: str = "card") -> WindowRequest:
        return WindowRequest(
            method_kind=kind,
            gateway_order_id=f"op_{secrets.token_hex(12)}",
            title="주문 1",
            amount=WON,
            customer_key=CUSTOMER,
            customer_name="김래원",
            customer_email="kim@example.com",
            idempotency_key=f"pay:{secrets.token_hex(12)}",
            success_url="http://127.0.0.1:1/ok",
            fail_url="http://127.0.0.1:1/fail",
            locale="ko",
        )


@contextmanager
def desk(url: str, secret: str, *, channels: str = KCP, timeout_s: float = 10) -> Iterator[Desk]:
    gateway = PortOneGateway(
        url=url,
        secret=secret,
        limits=Limits(timeout_s, timeout_s, abreast_max=8, rate_per_s_max=0),
        channels=channels,
        store_id="store-double",
        webhook_secret=WEBHOOK_SECRET,
    )
    with asyncio.Runner() as runner:
        connected = gateway.connected()
        runner.run(connected.__aenter__())
        yield Desk(gateway, PortOneControls(url, secret), runner)
        runner.run(connected.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def portone_url() -> Iterator[str]:
    with portone_double() as url:
        yield url


@pytest.fixture
def portone(portone_url: str) -> Iterator[Desk]:
    """A merchant of its own."""
    with desk(portone_url, f"secret-{secrets.token_hex(8)}") as ready:
        ready.controls.merchant(webhook_secret=WEBHOOK_SECRET)
        yield ready


@pytest.fixture(scope="session")
def vendor(portone_url: str) -> Iterator[PaymentClient]:
    """The vendor's own client, of the merchant `sdk`; it never closes its connections itself."""
    client = PaymentClient(secret="sdk", base_url=portone_url)
    yield client
    for part in (client, client.billing_key, client.cash_receipt, client.additional_feature):
        part._sync_client.close()
        asyncio.run(part._async_client.aclose())


@pytest.fixture
def beside(portone_url: str) -> Iterator[Desk]:
    """Our adapter as the same merchant as the vendor's client."""
    with desk(portone_url, "sdk") as ready:
        yield ready
