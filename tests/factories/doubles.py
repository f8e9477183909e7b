"""Payments at the doubles of Stripe and PortOne, through the real pipeline."""

import re
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlalchemy import select

from opsapp.customers import issuing
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.customers.queries import get_customer_keys
from opsapp.gateways.values import METHOD_KINDS
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import charging, presenting, refunding
from opsapp.payments.models import Attempt, Refund
from opsapp.payments.refunding import RefundWish
from opsapp.payments.requesting import PaymentOrder, request_payments
from opsapp.routing import editing
from opsapp.routing.editing import NewRoute
from opsapp.settings import Settings
from tests.factories import payments as make, webhooks
from tests.factories.payments import BY
from tests.fakes.servers import PortOneControls
from tests.fakes.stripe import StripeDouble

WON = Money(30_000, "KRW")
ADDRESSES = {
    "success_url": "http://127.0.0.1/ok",
    "fail_url": "http://127.0.0.1/no",
    "locale": "ko",
}
HIDDEN = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')
CHANNELS = ",".join(f"{kind}=channel-{kind}@KCP_V2" for kind in METHOD_KINDS)


def with_portone(settings: Settings, url: str) -> Settings:
    """A merchant of its own at the double."""
    return _with(
        settings,
        portone_url=url,
        portone_secret=secrets.token_hex(8),
        portone_store_id="store-test",
        portone_channels=CHANNELS,
        portone_webhook_secret=webhooks.PORTONE_SECRET,
        portone_window_url=f"{url}/_double/window",
    )


def with_stripe(settings: Settings, url: str) -> Settings:
    return _with(
        settings,
        stripe_url=url,
        stripe_secret_key="sk_test_12345",
        stripe_publishable_key="pk_test_1",
        stripe_webhook_secret=webhooks.STRIPE_SECRET,
    )


def by_key(gateway_name: str, auth_key: str, *, customer_id: int) -> int:
    """A payment by a billing key of that gateway, requested and not sent yet."""
    with transaction():
        wish = NewMethod(customer_id, "card", gateway_name=gateway_name, auth_key=auth_key)
        [method_id] = add_methods([wish], by=BY)
    issuing.issue_billing_keys([method_id], by=BY)
    return _request(customer_id, payment_method_id=method_id)


def at_stripe(double: StripeDouble, **metadata: Any) -> int:
    return by_key("stripe", double.add_method(metadata=metadata), customer_id=make.make_customer())


def at_portone(controls: PortOneControls, *, pg_code: str = "") -> int:
    customer_id = make.make_customer()
    with transaction():
        customer_key = get_customer_keys([customer_id])[customer_id].customer_key
    key = controls.billing_key(customer_key, pg_code)
    return by_key("portone", key, customer_id=customer_id)


def by_kind(gateway_name: str, kind: str = "card") -> int:
    """A payment of somebody who registers nothing."""
    with transaction():
        editing.add_route(NewRoute(kind, "KRW", gateway_name), by=BY)
    return _request(make.make_customer(), method_kind=kind)


def open_window(payment_id: int) -> Any:
    return presenting.open_window(payment_id, **ADDRESSES)


def decide(window: Any, decision: str = "approve", pg_code: str = "CC10") -> None:
    """What the customer does at PortOne's window; nobody follows them back."""
    with urllib.request.urlopen(window.redirect_url, timeout=5) as answer:
        fields = dict(HIDDEN.findall(answer.read().decode()))
    fields |= {"decision": decision, "pgCode": pg_code}
    origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(window.redirect_url))
    request = urllib.request.Request(
        f"{origin}/_double/window", data=urllib.parse.urlencode(fields).encode()
    )
    opener = urllib.request.build_opener(_StaysHere)
    with suppress(urllib.error.HTTPError):
        opener.open(request, timeout=5)


class _StaysHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def pay_at_stripe(double: StripeDouble, window: Any, **metadata: Any) -> None:
    """The customer's browser confirms the intent with its secret."""
    name = window.fields["clientSecret"].partition("_secret_")[0]
    double.confirm(name, {"payment_method": double.add_method(metadata=metadata)})


def take_turns(payment_id: int, times: int = 1) -> None:
    for _ in range(times):
        make.make_everything_due()
        charging.execute_attempts(make.attempt_ids([payment_id]), by=BY)


def take_refund_turns(refund_ids: Iterable[int], times: int = 1) -> None:
    for _ in range(times):
        make.make_everything_due()
        refunding.execute_refunds(list(refund_ids), by=BY)


def ask_back(payment_id: int, minor: int) -> int:
    refundable = make.payment(payment_id).refundable.minor
    wish = RefundWish(new_ref("form"), Money(minor, "KRW"), refundable, "고객 요청")
    with transaction():
        return refunding.request_refund(payment_id, wish, by=BY)


def latest(payment_id: int) -> Attempt:
    with transaction():
        own = select(Attempt).where(Attempt.payment_id == payment_id)
        found = db.session.scalars(own.order_by(Attempt.number.desc()).limit(1)).one()
        db.session.refresh(found)
        db.session.expunge(found)
        return found


def refund(refund_id: int) -> Refund:
    with transaction():
        found = db.session.get_one(Refund, refund_id, populate_existing=True)
        db.session.expunge(found)
        return found


def stands(payment_id: int) -> tuple[str, str, int, int]:
    """Status of its latest attempt and of the payment; captured and refunded."""
    paid = make.payment(payment_id)
    return latest(payment_id).status, paid.status, paid.captured_minor, paid.refunded_minor


def _request(customer_id: int, **how: Any) -> int:
    order = PaymentOrder(
        "order",
        customer_id,
        customer_id,
        how.pop("payment_method_id", None),
        "햇사과 5kg",
        WON,
        **how,
    )
    with transaction():
        [payment_id] = request_payments([order], by=BY).values()
    return payment_id


def _with(settings: Settings, **values: Any) -> Settings:
    return type(settings)(**(settings.model_dump() | values))
