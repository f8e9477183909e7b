"""Our Toss Payments adapter held open on one event loop, so that many questions stay cheap."""

import asyncio
import math
import secrets
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import uvloop

from opsapp.gateways import failures
from opsapp.gateways.http import Limits
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import (
    AccountClosing,
    Answer,
    BankAccount,
    BillingKeyDeletion,
    BillingKeyRequest,
    CashReceiptCancel,
    CashReceiptRequest,
    ChargeBody,
    ChargeRequest,
    Flow,
    Inquiry,
    RefundRequest,
)
from opsapp.kernel.money import Money
from tests.gateway_controls import GatewayControls

T = TypeVar("T")
WON = Money(60_000, "KRW")
ACCOUNT = BankAccount(bank="88", number="110123456789", holder="홍길동")
LIMITS = Limits(timeout_s=5, inquiry_timeout_s=5, abreast_max=8, rate_per_s_max=0)


def fresh(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}"


@dataclass
class Till:
    """One merchant's adapter, asked synchronously."""

    gateway: TossGateway
    runner: asyncio.Runner
    controls: GatewayControls
    secret_key: str
    customer_key: str = field(default_factory=lambda: fresh("customer"))

    def ask(self, question: Awaitable[T]) -> T:
        async def answered() -> T:
            return await question

        return self.runner.run(answered())

    def charge(
        self,
        flow: Flow,
        order_id: str,
        *,
        billing_key: str | None = None,
        gateway_key: str | None = None,
        amount: Money = WON,
        key: str = "",
        method_kind: str = "card",
    ) -> Answer:
        wish = ChargeBody(
            flow=flow,
            method_kind=method_kind,
            gateway_order_id=order_id,
            title="사과 1상자",
            amount=amount,
            customer_key=self.customer_key,
            customer_name="김래원",
            gateway_key=gateway_key,
            bank="88",
            account_life=timedelta(hours=24),
        )
        request = ChargeRequest(
            flow=flow,
            gateway_order_id=order_id,
            idempotency_key=key or f"pay:{order_id}",
            body=self.gateway.charge_body(wish),
            billing_key=billing_key,
            gateway_key=gateway_key,
            call_before=math.inf,
        )
        return self.ask(self.gateway.charge(request))

    def authenticate(self, order_id: str, **wish: Any) -> str:
        """The buyer has gone through the window; the paymentKey it gave the shop."""
        wish = {"orderId": order_id, "amount": WON.minor} | wish
        return self.controls.authenticate(self.secret_key, **wish)

    def confirm(self, order_id: str, **wish: Any) -> Answer:
        return self.charge(Flow.WINDOW, order_id, gateway_key=self.authenticate(order_id, **wish))

    def account(self, order_id: str) -> Answer:
        return self.charge(Flow.ACCOUNT, order_id, method_kind="virtual_account")

    def billing_key(self, kind: str = "card") -> str:
        answer = self.issue(f"{kind}.{secrets.token_hex(6)}")
        assert answer.billing_key is not None, answer
        return answer.billing_key.billing_key

    def issue(self, auth_key: str, *, key: str = "") -> Answer:
        request = BillingKeyRequest(self.customer_key, auth_key, key or fresh("issue"))
        return self.ask(self.gateway.issue_billing_key(request))

    def delete(self, billing_key: str) -> Answer:
        deletion = BillingKeyDeletion(billing_key, fresh("delete"))
        return self.ask(self.gateway.delete_billing_key(deletion))

    def inquire(self, order_id: str, flow: Flow = Flow.BILLING) -> Answer:
        return self.ask(self.gateway.inquire(Inquiry(order_id, None, flow)))

    def refund(
        self,
        gateway_key: str | None,
        minor: int,
        *,
        before: int = WON.minor,
        key: str = "",
        account: BankAccount | None = None,
    ) -> Answer:
        request = RefundRequest(
            gateway_key=gateway_key or "",
            idempotency_key=key or fresh("refund"),
            amount=Money(minor, "KRW"),
            refundable_before=Money(before, "KRW"),
            reason="고객 변심",
            call_before=math.inf,
            account=account,
        )
        return self.ask(self.gateway.refund(request))

    def close_account(self, gateway_key: str | None, order_id: str) -> Answer:
        closing = AccountClosing(gateway_key or "", order_id, fresh("close"), "주문 취소")
        return self.ask(self.gateway.close_account(closing))

    def issue_receipt(self, order_id: str, *, key: str = "") -> Answer:
        request = CashReceiptRequest(
            gateway_order_id=order_id,
            title="사과 1상자",
            kind="income_deduction",
            registration="01012345678",
            amount=WON,
            tax_free=Money(0, "KRW"),
            idempotency_key=key or fresh("receipt"),
        )
        return self.ask(self.gateway.issue_cash_receipt(request))

    def cancel_receipt(self, receipt_key: str) -> Answer:
        cancel = CashReceiptCancel(receipt_key, WON, fresh("receipt"))
        return self.ask(self.gateway.cancel_cash_receipt(cancel))


@contextmanager
def opened(
    url: str, *, kind: type[TossGateway] = TossGateway, secret_key: str = "", **more: Any
) -> Iterator[Till]:
    """A merchant of its own whose connections stay open, and the dictionary as it is shipped."""
    failures.install(failures.read_seed())
    secret_key = secret_key or f"test_sk_{secrets.token_hex(8)}"
    gateway = kind(url=url, secret_key=secret_key, limits=more.pop("limits", LIMITS), **more)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        held = gateway.connected()
        runner.run(held.__aenter__())
        try:
            yield Till(gateway, runner, GatewayControls(url), secret_key)
        finally:
            runner.run(held.__aexit__(None, None, None))
