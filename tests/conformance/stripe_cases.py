"""What the Stripe cases share: an adapter on one loop and one connection, and its requests."""

import asyncio
import math
from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Any

from opsapp.gateways.base import Gateway
from opsapp.gateways.http import Limits
from opsapp.gateways.stripe import StripeGateway
from opsapp.gateways.values import (
    Answer,
    BillingKeyRequest,
    ChargeBody,
    ChargeRequest,
    Flow,
    Inquiry,
    RefundRequest,
    WindowRequest,
)
from opsapp.kernel.money import Money

SECRET = "whsec_conformance"
LIMITS = Limits(timeout_s=5, inquiry_timeout_s=5, abreast_max=8, rate_per_s_max=0)
WON = Money(12900, "KRW")


def stripe_at(url: str, **more: Any) -> StripeGateway:
    chosen = {"secret_key": "sk_test_12345", "limits": LIMITS, "webhook_secret": SECRET}
    return StripeGateway(url=url, publishable_key="pk_test_1", **(chosen | more))


class Talk:
    """Waits for an adapter's answers, one after the other, on a single loop."""

    def __init__(self, gateway: Any, runner: asyncio.Runner) -> None:
        self.gateway = gateway
        self._runner = runner

    def __call__(self, question: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await question

        return self._runner.run(awaited())

    def charge(self, order: str, billing_key: str, **more: Any) -> tuple[Answer, ChargeRequest]:
        """Both steps, as the pipeline takes them; the request is the second one's."""
        request = charge_of(self.gateway, order, billing_key, **more)
        made = self(self.gateway.charge(request))
        if made.gateway_key is None:
            return made, request
        request = replace(request, gateway_key=made.gateway_key)
        return self(self.gateway.charge(request)), request

    def register(self, auth_key: str, customer_key: str = "customer-1") -> Answer:
        request = BillingKeyRequest(customer_key, auth_key, f"method:{auth_key}")
        answer: Answer = self(self.gateway.issue_billing_key(request))
        return answer

    def inquire(self, order: str, gateway_key: str | None, flow: Flow = Flow.BILLING) -> Answer:
        answer: Answer = self(self.gateway.inquire(Inquiry(order, gateway_key, flow)))
        return answer

    def refund(self, gateway_key: str, minor: int, before: int, key: str) -> Answer:
        amount, left = Money(minor, WON.currency), Money(before, WON.currency)
        request = RefundRequest(gateway_key, key, amount, left, "고객 변심", math.inf)
        answer: Answer = self(self.gateway.refund(request))
        return answer


@contextmanager
def talking(gateway: Gateway) -> Iterator[Talk]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        talk = Talk(gateway, runner)
        talk(stack.enter_async_context(gateway.connected()))
        try:
            yield talk
        finally:
            talk(stack.aclose())


def charge_of(
    gateway: Gateway,
    order: str,
    billing_key: str | None,
    *,
    amount: Money = WON,
    gateway_key: str | None = None,
    flow: Flow = Flow.BILLING,
) -> ChargeRequest:
    body = ChargeBody(flow, "card", order, "구독 1회차", amount, "customer-1", "김래원")
    return ChargeRequest(
        flow=flow,
        gateway_order_id=order,
        idempotency_key=f"pay:{order}",
        body=gateway.charge_body(body),
        billing_key=billing_key,
        gateway_key=gateway_key,
        call_before=math.inf,
    )


def window_of(order: str) -> WindowRequest:
    return WindowRequest(
        "card",
        order,
        "구독 1회차",
        WON,
        "customer-1",
        "김래원",
        "kim@example.com",
        f"pay:{order}",
        "https://shop.example/return",
        "https://shop.example/fail",
        "ko",
    )
