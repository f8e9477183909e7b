"""Stripe, API v1 (docs.stripe.com/api): cards, and no number of ours that names a payment.

A charge is therefore two steps: the PaymentIntent is made unconfirmed, its name is kept, and only
then is it confirmed. Each step has a key of its own. `off_session` may be said with a
confirmation only, so it stands in the second step.

Capabilities: a key is honoured for 24 hours at least, with other parameters refused and error
answers stored too, those of status 500 included (docs.stripe.com/api/idempotent_requests). Least
amounts are 50 cents, 0.50 euro and 50 yen (docs.stripe.com/currencies#minimum-and-maximum-charge-
amounts); for a currency without a figure of its own the amount must be worth 50 US cents, for
which 1000 won leave a margin. A card is given back in part any number of times. No lock on the
refundable amount exists, so it is read before a refund is sent.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from opsapp.gateways import stripe_methods, stripe_objects, stripe_reading, stripe_webhooks
from opsapp.gateways.base import GatewayAway
from opsapp.gateways.http import HttpGateway, Limits, Reply, as_json
from opsapp.gateways.stripe_forms import METADATA_LENGTH_MAX, about, flat, intent_fields
from opsapp.gateways.stripe_methods import Registration
from opsapp.gateways.values import (
    METHOD_GONE,
    AccountClosing,
    Answer,
    BillingKeyDeletion,
    BillingKeyRequest,
    Capabilities,
    ChargeBody,
    ChargeRequest,
    Flow,
    GatewayTransaction,
    Inquiry,
    Outcome,
    RefundRequest,
    WebhookMessage,
    Window,
    WindowRequest,
)

API_VERSION = "2024-06-20"  # what is read here is what this version answers
SCRIPT_URL = "https://js.stripe.com/v3/"
ROWS_PER_PAGE = 100
INTENTS = "/v1/payment_intents"
METHODS = "/v1/payment_methods"
WITH_CHARGE = {"expand": ["latest_charge"]}

_NAME = re.compile(r"(pm|seti)_[A-Za-z0-9_]{1,200}")


class StripeGateway(HttpGateway):
    name: ClassVar[str] = "stripe"
    failure_sources: ClassVar[tuple[str, ...]] = stripe_reading.SOURCES
    capabilities: ClassVar[Capabilities] = Capabilities(
        window_methods=frozenset({"card"}),
        billing_methods=frozenset({"card"}),
        issues_accounts=False,
        currencies=frozenset({"KRW", "JPY", "USD", "EUR"}),
        minimum_minor={
            ("card", "KRW"): 1000,
            ("card", "JPY"): 50,
            ("card", "USD"): 50,
            ("card", "EUR"): 50,
        },
        partial_refunds=frozenset({"card"}),
        same_month_refunds=frozenset(),
        account_refunds=frozenset(),
        cash_receipts=frozenset(),
        replay_window=timedelta(hours=23),  # 24 by the documentation; an hour in reserve
        replays_errors=True,
        inquires_by_order_id=False,
        quarantine=None,
        confirms_on_return=False,
        refund_lock=False,
        signs_webhooks=True,
        account_life_max=timedelta(0),
    )

    def __init__(
        self,
        *,
        url: str,
        secret_key: str,
        limits: Limits,
        publishable_key: str = "",
        webhook_secret: str = "",
    ) -> None:
        headers = {
            "Authorization": f"Bearer {secret_key}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Stripe-Version": API_VERSION,
        }
        super().__init__(url=url, headers=headers, limits=limits)
        self._publishable_key = publishable_key
        self._webhook_secret = webhook_secret

    def charge_body(self, charge: ChargeBody) -> bytes:
        """Both steps of the charge; the card is added from the billing key when it is sent."""
        if charge.flow is Flow.WINDOW:
            return as_json({})
        create = intent_fields(charge.amount.minor, charge.amount.currency)
        create |= about(charge.gateway_order_id, charge.title)
        return as_json({"create": create, "confirm": {"off_session": True}})

    def parse_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> WebhookMessage:
        return stripe_webhooks.parse(headers, body, secret=self._webhook_secret, now=now)

    async def _charge(self, request: ChargeRequest) -> Answer:
        """PREPARED by the first step; the second one is taken once its name is known."""
        if request.flow is not Flow.BILLING:
            return await self._inquire(
                Inquiry(request.gateway_order_id, request.gateway_key, request.flow)
            )
        steps = json.loads(request.body)
        if request.gateway_key is None:
            return await self._create(request, steps["create"])
        reply = await self._call(
            "POST",
            f"{_intent(request.gateway_key)}/confirm",
            steps["confirm"] | WITH_CHARGE,
            key=f"{request.idempotency_key}:confirm",
        )
        if isinstance(reply, Answer):
            return reply
        return stripe_objects.understand_intent(reply.body, _asked(request), _trace(reply))

    async def _create(self, request: ChargeRequest, fields: Mapping[str, Any]) -> Answer:
        customer, _, method = (request.billing_key or "").partition("|")
        if not (customer and method):
            return METHOD_GONE
        reply = await self._call(
            "POST",
            INTENTS,
            {**fields, "customer": customer, "payment_method": method},
            key=f"{request.idempotency_key}:create",
            is_about_method=True,
        )
        if isinstance(reply, Answer):
            return reply
        return stripe_objects.understand_created(reply.body, _asked(request), _trace(reply))

    async def _inquire(self, inquiry: Inquiry) -> Answer:
        """A charge that waits for a customer who is not there is cancelled, then declined.

        The cancel is refused for whatever is paid or being paid, so nobody's money is lost.
        """
        if inquiry.gateway_key is None:
            return Answer(Outcome.NOT_FOUND, "nothing was ever confirmed")
        reply = await self._read_intent(inquiry.gateway_key)
        if isinstance(reply, Answer):
            return _unanswered(reply)
        answer = stripe_objects.understand_inquiry(reply.body, inquiry, _trace(reply))
        if not stripe_objects.waits_in_vain(reply.body, inquiry, datetime.now(UTC)):
            return answer
        reply = await self._cancel(inquiry.gateway_key)
        if isinstance(reply, Answer):
            return _unanswered(reply)
        return stripe_objects.understand_inquiry(reply.body, inquiry, _trace(reply))

    async def _refund(self, request: RefundRequest) -> Answer:
        """Read, compare, send: one request that changes something."""
        seen = await self._read_intent(request.gateway_key)
        if isinstance(seen, Answer):
            return stripe_objects.before_refund(seen)
        differs = stripe_objects.compare_refundable(seen.body, request, _trace(seen))
        if differs is not None:
            return differs
        if monotonic() > request.call_before:
            return Answer(Outcome.NOT_SENT, "the lease is too old to send")
        fields = {
            "payment_intent": request.gateway_key,
            "amount": request.amount.minor,
            "metadata": {"reason": request.reason[:METADATA_LENGTH_MAX]},
        }
        reply = await self._call("POST", "/v1/refunds", fields, key=request.idempotency_key)
        if isinstance(reply, Answer):
            return reply
        return stripe_objects.understand_refund(reply.body, request.gateway_key, _trace(reply))

    async def _close_account(self, closing: AccountClosing) -> Answer:
        """For a window that nobody came back from: an intent never ends by itself."""
        reply = await self._cancel(closing.gateway_key)
        if isinstance(reply, Answer):
            return reply
        return stripe_objects.understand_cancelled(reply.body, _trace(reply))

    async def _open_window(self, request: WindowRequest) -> Answer:
        fields = intent_fields(request.amount.minor, request.amount.currency)
        fields |= about(request.gateway_order_id, request.title)
        reply = await self._call("POST", INTENTS, fields, key=f"{request.idempotency_key}:create")
        if isinstance(reply, Answer):
            return reply
        answer = stripe_objects.understand_window(reply.body, _trace(reply))
        if answer.window is None:
            return answer
        return replace(
            answer,
            window=Window(
                script_url=SCRIPT_URL,
                vendor="stripe",
                fields={
                    "publishableKey": self._publishable_key,
                    **answer.window.fields,
                    "returnUrl": request.success_url,
                    "failUrl": request.fail_url,
                    "locale": request.locale,
                },
            ),
        )

    async def _issue_billing_key(self, request: BillingKeyRequest) -> Answer:
        """A card that stands with a customer already is taken only if that customer is ours."""
        found = await self._find_registration(request.auth_key)
        if isinstance(found, Answer):
            return found
        if found.customer is None:
            made = await self._make_customer(request.customer_key)
            if isinstance(made, Answer):
                return made
            return await self._attach(found.method, made, key=f"{request.idempotency_key}:attach")
        reply = await self._call("GET", f"/v1/customers/{quote(found.customer, safe='')}")
        if isinstance(reply, Answer):
            return _unanswered(reply)
        if not stripe_methods.is_customer_of(reply.body, request.customer_key):
            return stripe_methods.foreign_method(_trace(reply))
        reply = await self._call("GET", _method(found.method))
        if isinstance(reply, Answer):
            return _unanswered(reply)
        return stripe_methods.understand_method(reply.body, found.customer, _trace(reply))

    async def _find_registration(self, auth_key: str) -> Registration | Answer:
        """The browser brings a SetupIntent that it has confirmed, or a PaymentMethod."""
        if not _NAME.fullmatch(auth_key):
            return METHOD_GONE
        is_setup = auth_key.startswith("seti_")
        path = f"/v1/setup_intents/{auth_key}" if is_setup else _method(auth_key)
        reply = await self._call("GET", path, is_about_method=True)
        if isinstance(reply, Answer):
            return reply
        understand = stripe_methods.read_setup if is_setup else stripe_methods.read_method
        return understand(reply.body, _trace(reply))

    async def _make_customer(self, customer_key: str) -> str | Answer:
        """Within a day the same one; a second customer of one person does no harm later."""
        key = f"customer:{hashlib.sha256(customer_key.encode()).hexdigest()}"
        fields = {"metadata": {"customer_key": customer_key[:METADATA_LENGTH_MAX]}}
        reply = await self._call("POST", "/v1/customers", fields, key=key)
        if isinstance(reply, Answer):
            return reply
        return stripe_methods.read_customer(reply.body, _trace(reply))

    async def _attach(self, method: str, customer: str, *, key: str) -> Answer:
        reply = await self._call(
            "POST", f"{_method(method)}/attach", {"customer": customer}, key=key
        )
        if isinstance(reply, Answer):
            return reply
        return stripe_methods.understand_method(reply.body, customer, _trace(reply))

    async def _delete_billing_key(self, deletion: BillingKeyDeletion) -> Answer:
        """A second removal is refused without a code of its own: the card itself tells."""
        path = _method(deletion.billing_key.partition("|")[2])
        reply = await self._call("POST", f"{path}/detach", key=deletion.idempotency_key)
        if isinstance(reply, Reply):
            return stripe_methods.understand_detached(reply.body, _trace(reply))
        is_gone = reply.code == stripe_reading.MISSING
        if not is_gone and reply.outcome is Outcome.MISCONFIGURED:
            seen = await self._call("GET", path)
            is_gone = isinstance(seen, Reply) and stripe_methods.is_detached(seen.body)
        if is_gone:
            return Answer(Outcome.NOT_FOUND, "the billing key was gone", code=reply.code)
        return reply

    async def _list_transactions(
        self, since: datetime, until: datetime
    ) -> list[GatewayTransaction]:
        """Charges and refunds, each with the intent that tells our order."""
        span = {"gte": int(since.timestamp()), "lt": int(until.timestamp()) + 1}
        fields = {"created": span, "limit": ROWS_PER_PAGE, "expand": ["data.payment_intent"]}
        try:
            charges = await self._rows("/v1/charges", fields)
            refunds = await self._rows("/v1/refunds", fields)
            return [
                *filter(None, map(stripe_objects.understand_charge, charges)),
                *filter(None, map(stripe_objects.understand_refunded, refunds)),
            ]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as trouble:
            raise GatewayAway(f"a row could not be read ({type(trouble).__name__})") from trouble

    async def _rows(self, path: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        after: dict[str, str] = {}
        while True:
            wanted = {**fields, **after}
            ask = partial(self._call, "GET", path, wanted, timeout_s=self.timeout_s)
            reply = await self._page(ask)
            fresh = {row["id"]: row for row in reply.body["data"] if row["id"] not in rows}
            rows |= fresh
            if not reply.body["has_more"]:
                return list(rows.values())
            if not fresh:
                raise GatewayAway("the list does not end")
            after = {"starting_after": reply.body["data"][-1]["id"]}

    async def _read_intent(self, gateway_key: str) -> Reply | Answer:
        return await self._call("GET", _intent(gateway_key), WITH_CHARGE)

    async def _cancel(self, gateway_key: str) -> Reply | Answer:
        """Without a key: a stored refusal would stand in the way of the next try."""
        return await self._call("POST", f"{_intent(gateway_key)}/cancel", WITH_CHARGE)

    async def _call(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        timeout_s: float = 0,
        is_about_method: bool = False,
    ) -> Reply | Answer:
        """A reply is a success to be understood; everything else is an Answer."""
        form = urlencode(flat(fields or {}))
        headers = {"Idempotency-Key": key} if key else {}
        if method == "GET":
            path, body = f"{path}?{form}" if form else path, None
            timeout_s = timeout_s or self.inquiry_timeout_s
        else:
            body = form.encode()
        reply = await self._ask(method, path, body=body, headers=headers, timeout_s=timeout_s)
        if isinstance(reply, Answer) or reply.status == HTTPStatus.OK:
            return reply
        return stripe_reading.understand_error(
            reply.status, reply.body, _trace(reply), is_about_method=is_about_method
        )


def _asked(request: ChargeRequest) -> Inquiry:
    return Inquiry(request.gateway_order_id, request.gateway_key, request.flow)


def _unanswered(answer: Answer) -> Answer:
    """A refused question says nothing about the charge it asked for."""
    if answer.outcome in (Outcome.NOT_FOUND, Outcome.NOT_SENT, Outcome.UNKNOWN):
        return answer
    if answer.code == stripe_reading.MISSING:
        return replace(answer, outcome=Outcome.NOT_FOUND)
    because = f"the inquiry failed ({answer.code})"
    return Answer(Outcome.UNKNOWN, because, code=answer.code, trace_id=answer.trace_id)


def _intent(gateway_key: str) -> str:
    return f"{INTENTS}/{quote(gateway_key, safe='')}"


def _method(method: str) -> str:
    return f"{METHODS}/{quote(method, safe='')}"


def _trace(reply: Reply) -> str | None:
    return stripe_reading.as_word(reply.headers.get("Request-Id"))
