"""A double of Stripe for what no foreign server shows: idempotency, decline codes, refused refunds,
faults on the way. In memory, on loopback.

    python -m tests.fakes.stripe --port 8421

`metadata[error][...]` of a payment method is the error that its confirmation meets;
`metadata[asks]` makes it ask for its holder. Control: POST and DELETE /_double/faults,
GET /_double/requests, DELETE /_double/data.
"""

import argparse
import asyncio
import hashlib
import itertools
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
NOT_KEPT = (401, 409, 429)  # turned away before the endpoint began: not stored under the key
CARD = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030, "country": "KR"}


class Refused(Exception):
    def __init__(self, status: int, **error: Any) -> None:
        super().__init__(error)
        self.status = status
        self.error = {"type": "invalid_request_error", "message": "refused", **error}


@dataclass
class Fault:
    """`kind`: lost_before, lost_after, slow (seconds, then as usual), answer (status, body)."""

    path: str  # a regular expression over "METHOD path"
    kind: str
    times: int = 1
    seconds: float = 0.0
    status: int = 500
    body: str = "{}"


@dataclass
class Kept:
    """The first answer under an idempotency key."""

    fingerprint: str
    status: int = 0
    body: bytes = b""
    is_there: bool = False


@dataclass
class StripeDouble:
    url: str = ""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def forget(self) -> None:
        for drawer in (self.objects, self.kept, self.faults, self.requests):
            drawer.clear()

    def sent(self, pattern: str) -> list[dict[str, Any]]:
        return [each for each in self.requests if re.search(pattern, each["line"])]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.objects.values() if each["object"] == kind]

    def add_method(self, **more: Any) -> str:
        """A card as the browser would have made it."""
        made = self._new("payment_method", "pm", type="card", card=CARD, customer=None, **more)
        return str(made["id"])

    def add_customer(self, **more: Any) -> str:
        return str(self._new("customer", "cus", **more)["id"])

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/_double/{what}", self._control)
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _control(self, request: web.Request) -> web.Response:
        match request.method, request.match_info["what"]:
            case "POST", "faults":
                self.faults.append(Fault(**await request.json()))
            case "DELETE", "faults":
                self.faults.clear()
            case "DELETE", "data":
                self.forget()
            case "GET", "requests":
                return web.json_response(self.requests)
            case _:
                return web.json_response({}, status=404)
        return web.json_response({})

    async def _answer(self, request: web.Request) -> web.Response:
        line = f"{request.method} {request.path}"
        text = await request.text()
        form = nested(text if request.method == "POST" else request.query_string)
        key = request.headers.get("Idempotency-Key", "")
        self.requests.append({"line": line, "key": key, "form": form})
        if request.method != "POST" or not key:
            return await self._met(line, form, request)
        fingerprint = hashlib.sha256(f"{line}\n{text}".encode()).hexdigest()
        if (kept := self.kept.get(key)) is not None:
            return _replayed(kept, fingerprint)
        kept = self.kept[key] = Kept(fingerprint)
        response = await self._met(line, form, request)
        if response.status in NOT_KEPT:
            del self.kept[key]
        kept.status, kept.body, kept.is_there = response.status, bytes(response.body), True  # type: ignore[arg-type]
        return response

    async def _met(self, line: str, form: dict[str, Any], request: web.Request) -> web.Response:
        """A fault on the way strikes whoever is asking."""
        fault = next((each for each in self.faults if re.search(each.path, line)), None)
        if fault is None:
            return self._done(line, form, request)
        fault.times -= 1
        if fault.times <= 0:
            self.faults.remove(fault)
        match fault.kind:
            case "answer":
                return web.Response(status=fault.status, text=fault.body)
            case "slow":
                await asyncio.sleep(fault.seconds)
                return self._done(line, form, request)
        # What never arrived is not kept under its key.
        is_done = fault.kind == "lost_after"
        response = self._done(line, form, request) if is_done else _response(NOT_KEPT[0], {})
        if request.transport is not None:
            request.transport.abort()
        return response

    def _done(self, line: str, form: dict[str, Any], request: web.Request) -> web.Response:
        if not request.headers.get("Authorization", "").startswith("Bearer sk_test_"):
            return _response(401, {"error": {"type": "invalid_request_error", "message": "key"}})
        return self._executed(line, form)

    def _executed(self, line: str, form: dict[str, Any]) -> web.Response:
        expand = list((form.pop("expand", None) or {}).values())
        for pattern, verb in ROUTES:
            if (match := re.fullmatch(pattern, line)) is not None:
                try:
                    made = verb(self, *match.groups(), form)
                except Refused as refused:
                    return _response(refused.status, {"error": refused.error})
                return _response(200, self._expanded(made, expand))
        return _response(404, {"error": {"type": "invalid_request_error", "message": line}})

    def _expanded(self, made: dict[str, Any], expand: list[str]) -> dict[str, Any]:
        shown = json.loads(json.dumps(made))
        for path in expand:
            within, _, name = path.rpartition(".")
            for each in shown[within] if within else [shown]:
                if each.get(name) in self.objects:
                    each[name] = self.objects[each[name]]
        return dict(shown)

    def _new(self, kind: str, prefix: str, **fields: Any) -> dict[str, Any]:
        number = next(self.numbers)
        made = {"id": f"{prefix}_{number:08d}", "object": kind, "created": int(time.time())}
        made |= {"metadata": {}, "livemode": False} | fields
        self.objects[made["id"]] = made
        return made

    def _get(self, name: str, param: str = "id") -> dict[str, Any]:
        if name not in self.objects:
            raise Refused(404, code="resource_missing", param=param)
        return self.objects[name]

    def retrieve(self, name: str, form: dict[str, Any]) -> dict[str, Any]:
        return self._get(name)

    def create_customer(self, form: dict[str, Any]) -> dict[str, Any]:
        return self._new("customer", "cus", **form)

    def create_method(self, form: dict[str, Any]) -> dict[str, Any]:
        card = CARD | {"last4": form["card"]["number"][-4:]}
        fields = {"metadata": form.get("metadata", {}), "type": "card", "card": card}
        return self._new("payment_method", "pm", customer=None, **fields)

    def attach(self, name: str, form: dict[str, Any]) -> dict[str, Any]:
        method = self._get(name)
        method["customer"] = self._get(form["customer"], "customer")["id"]
        return method

    def detach(self, name: str, form: dict[str, Any]) -> dict[str, Any]:
        method = self._get(name)
        if method["customer"] is None:
            raise Refused(400, message="The payment method is not attached to a customer.")
        method["customer"] = None
        return method

    def create_setup(self, form: dict[str, Any]) -> dict[str, Any]:
        fields = {"customer": None, "payment_method": None, "last_setup_error": None, **form}
        status = "succeeded" if fields["payment_method"] else "requires_payment_method"
        return self._new("setup_intent", "seti", status=status, **fields)

    def create_intent(self, form: dict[str, Any]) -> dict[str, Any]:
        if "off_session" in form:
            raise Refused(400, code="parameter_unknown", param="off_session")
        for param in ("customer", "payment_method"):
            if param in form:
                self._get(form[param], param)
        if int(form["amount"]) < 50:
            raise Refused(400, code="amount_too_small", param="amount")
        status = "requires_confirmation" if "payment_method" in form else OPEN[0]
        fields = {
            "customer": None, "payment_method": None, "metadata": {}, **form,
            "amount": int(form["amount"]), "amount_received": 0, "status": status,
            "latest_charge": None, "last_payment_error": None, "cancellation_reason": None,
            "capture_method": "automatic", "next_action": None,
        }  # fmt: skip
        made = self._new("payment_intent", "pi", **fields)
        made["client_secret"] = f"{made['id']}_secret_{made['created']}"
        return made

    def confirm(self, name: str, form: dict[str, Any]) -> dict[str, Any]:
        intent = self._get(name)
        if intent["status"] not in OPEN[:2]:
            raise Refused(400, code="payment_intent_unexpected_state", payment_intent=intent)
        method = self._get(form.get("payment_method") or intent["payment_method"])
        error = method["metadata"].get("error")
        if method["metadata"].get("asks"):
            if form.get("off_session") != "true":
                intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}}
                return intent
            error = {"code": "authentication_required", "decline_code": "authentication_required"}
        charge = self._charge(intent, is_good=error is None)
        if error is not None:
            error = {"type": "card_error", "message": "declined", **error}
            intent |= {"status": OPEN[0], "payment_method": None, "last_payment_error": error}
            raise Refused(402, **error, charge=charge["id"], payment_intent=intent)
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        return intent

    def _charge(self, intent: dict[str, Any], *, is_good: bool) -> dict[str, Any]:
        made = self._new(
            "charge",
            "ch",
            amount=intent["amount"],
            amount_captured=intent["amount"] if is_good else 0,
            amount_refunded=0,
            currency=intent["currency"],
            captured=is_good,
            paid=is_good,
            status="succeeded" if is_good else "failed",
            payment_intent=intent["id"],
            metadata=intent["metadata"],
            payment_method_details={
                "type": "card",
                "card": CARD | {"authorization_code": "123456", "wallet": None},
            },
            receipt_url="https://pay.stripe.com/receipts/1",
        )
        intent["latest_charge"] = made["id"]
        return made

    def cancel(self, name: str, form: dict[str, Any]) -> dict[str, Any]:
        intent = self._get(name)
        if intent["status"] not in OPEN:
            raise Refused(400, code="payment_intent_unexpected_state", payment_intent=intent)
        intent |= {"status": "canceled", "next_action": None}
        return intent

    def refund(self, form: dict[str, Any]) -> dict[str, Any]:
        intent = self._get(form["payment_intent"], "payment_intent")
        if intent["status"] != "succeeded":
            raise Refused(400, message="This PaymentIntent has no successful charge.")
        charge = self._get(intent["latest_charge"])
        left = charge["amount"] - charge["amount_refunded"]
        amount = int(form.get("amount", left))
        if not left:
            raise Refused(400, code="charge_already_refunded")
        if amount > left:
            raise Refused(400, param="amount", message=f"greater than the unrefunded {left}")
        charge["amount_refunded"] += amount
        fields = {"metadata": form.get("metadata", {}), "payment_intent": intent["id"]}
        fields |= {"charge": charge["id"], "currency": charge["currency"], "status": "succeeded"}
        return self._new("refund", "re", amount=amount, **fields)

    def listing(self, kind: str, form: dict[str, Any]) -> dict[str, Any]:
        """Newest first, as the vendor does."""
        rows = [each for each in self.all(kind) if _is_within(each, form.get("created", {}))][::-1]
        names = [each["id"] for each in rows]
        start = names.index(form["starting_after"]) + 1 if "starting_after" in form else 0
        end = start + int(form.get("limit", 10))
        more = len(rows) > end
        return {"object": "list", "data": rows[start:end], "has_more": more, "url": f"/v1/{kind}s"}


Verb = Callable[..., dict[str, Any]]
ROUTES: tuple[tuple[str, Verb], ...] = (
    (r"POST /v1/customers", StripeDouble.create_customer),
    (r"POST /v1/payment_methods", StripeDouble.create_method),
    (r"POST /v1/payment_methods/([^/]+)/attach", StripeDouble.attach),
    (r"POST /v1/payment_methods/([^/]+)/detach", StripeDouble.detach),
    (r"POST /v1/setup_intents", StripeDouble.create_setup),
    (r"POST /v1/payment_intents", StripeDouble.create_intent),
    (r"POST /v1/payment_intents/([^/]+)/confirm", StripeDouble.confirm),
    (r"POST /v1/payment_intents/([^/]+)/cancel", StripeDouble.cancel),
    (r"POST /v1/refunds", StripeDouble.refund),
    (r"GET /v1/(charge|refund|payment_intent)s", StripeDouble.listing),
    (r"GET /v1/(?:\w+)/([^/]+)", StripeDouble.retrieve),
)


def nested(text: str) -> dict[str, Any]:
    """a[b][0]=1 as {"a": {"b": {"0": "1"}}}."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = re.findall(r"[^\[\]]+", name)
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return tree


def _is_within(row: dict[str, Any], span: dict[str, str]) -> bool:
    created = row["created"]
    return int(span.get("gte", 0)) <= created < int(span.get("lt", 1 << 40))


def _response(status: int, body: dict[str, Any]) -> web.Response:
    return web.json_response(body, status=status, headers={"Request-Id": "req_double"})


def _replayed(kept: Kept, fingerprint: str) -> web.Response:
    if kept.fingerprint != fingerprint:
        return _response(400, {"error": {"type": "idempotency_error", "message": "other body"}})
    if not kept.is_there:
        error = {"type": "idempotency_error", "code": "idempotency_key_in_use"}
        return _response(409, {"error": error})
    headers = {"Request-Id": "req_again", "Idempotent-Replayed": "true"}
    return web.Response(
        status=kept.status, body=kept.body, headers=headers, content_type="application/json"
    )


@contextmanager
def running() -> Iterator[StripeDouble]:
    """The double on a port of its own, in a thread."""
    double, loop = StripeDouble(), asyncio.new_event_loop()
    runner = web.AppRunner(double.application())

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), loop).result(10)

    double.url = f"http://127.0.0.1:{wait(start())}"
    try:
        yield double
    finally:
        wait(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8421)
    port = parser.parse_args().port
    web.run_app(StripeDouble().application(), host="127.0.0.1", port=port, print=None)
