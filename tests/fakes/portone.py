"""PortOne V2 as far as our adapter and the vendor's SDK call it: python -m tests.fakes.portone.

A process of its own on loopback, in memory. Whoever comes with `Authorization: PortOne <secret>` is
the merchant of that secret. Calls, states and errors follow the vendor's published schema; what no
real gateway lets a test do (faults, deposits, the clock, declines) is under `/_double/`
(portone_controls).
"""

import argparse
import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.fakes import portone_controls, portone_webhooks
from tests.fakes.portone_books import Merchant
from tests.fakes.portone_controls import EVERYBODY
from tests.fakes.portone_payment import Refused
from tests.fakes.portone_state import STATE, Fault, State

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KEY_LIFE_S = 3 * 3600  # REST API V2, Idempotency-Key
KEY = re.compile(r'"[\x20\x21\x23-\x5b\x5d-\x7e]{16,256}"')
MERCHANT = web.RequestKey("merchant", Merchant)
BODY = web.RequestKey("body", dict)

routes = web.RouteTableDef()


@web.middleware
async def speak(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Who asks, under which key, what goes wrong on the way; then the call itself."""
    if request.path.startswith("/_double/"):
        return await portone_controls.answer(request, handler)
    state = request.app[STATE]
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind != "PortOne" or not secret:
        return _refusal(Refused(401, "UNAUTHORIZED"))
    merchant = state.merchant(secret)
    request[MERCHANT] = merchant
    fault = state.take_fault(secret, request.path) or state.take_fault(EVERYBODY, request.path)
    state.requests += 1
    response = await _once(request, handler, merchant, fault)
    portone_webhooks.send_unsent(request.app, merchant)
    return response


async def _once(
    request: web.Request, handler: Handler, merchant: Merchant, fault: Fault | None
) -> web.StreamResponse:
    """The same key gives the same answer; while the first is at work, the second is sent away."""
    raw = await request.read()
    named = request.headers.get("Idempotency-Key")
    if named is None or request.method == "GET":
        return await _with_fault(request, handler, raw, fault)
    if not KEY.fullmatch(named):
        return _refusal(Refused(400, "INVALID_REQUEST"))
    asked = (request.method, request.path_qs, raw)
    now = merchant.clock.now()
    known = merchant.keys.get(named)
    if known and (now - known["at"]).total_seconds() < KEY_LIFE_S:
        if known["asked"] != asked:
            return _refusal(Refused(400, "INVALID_REQUEST"))
        if known["answer"] is None:
            return _refusal(Refused(409, "IDEMPOTENCY_OUTSTANDING_REQUEST"))
        status, body = known["answer"]
        return web.Response(status=status, body=body, content_type="application/json")
    kept = merchant.keys[named] = {"at": now, "asked": asked, "answer": None}

    def keep(response: web.Response | None) -> None:
        if response is not None and (response.status == 200 or merchant.stores_errors):
            kept["answer"] = (response.status, response.body)
        else:
            merchant.keys.pop(named, None)

    return await _with_fault(request, handler, raw, fault, keep=keep)


async def _with_fault(
    request: web.Request,
    handler: Handler,
    raw: bytes,
    fault: Fault | None,
    *,
    keep: Callable[[web.Response | None], None] = lambda _: None,
) -> web.StreamResponse:
    """A lost answer was given all the same, and stands under its key."""
    if fault and fault.is_before:
        keep(None)
        await asyncio.sleep(fault.latency_s)
        return _go_wrong(request, fault)
    try:
        response = await _executed(request, handler, raw)
    except BaseException:
        keep(None)
        raise
    if fault:
        await asyncio.sleep(fault.latency_s)
    keep(response)
    return _go_wrong(request, fault) if fault and fault.does else response


async def _executed(request: web.Request, handler: Handler, raw: bytes) -> web.Response:
    try:
        request[BODY] = dict(json.loads(raw) if raw else {})
        answer = await handler(request)
        assert isinstance(answer, web.Response)
        return answer
    except Refused as refused:
        return _refusal(refused)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _refusal(Refused(400, "INVALID_REQUEST"))


def _go_wrong(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.does == "hang_up":
        assert request.transport is not None
        request.transport.abort()
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    return web.Response(status=fault.status, text=text, content_type="application/json")


def _refusal(refused: Refused) -> web.Response:
    return web.json_response(refused.body, status=refused.status)


def _payment_id(request: web.Request) -> str:
    return request.match_info["payment_id"]


@routes.post("/payments/{payment_id}/billing-key")
async def pay_with_billing_key(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].charge(_payment_id(request), request[BODY]))


@routes.post("/payments/{payment_id}/instant")
async def pay_instantly(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].issue_account(_payment_id(request), request[BODY]))


@routes.post("/payments/{payment_id}/pre-register")
async def pre_register(request: web.Request) -> web.Response:
    merchant, body, name = request[MERCHANT], request[BODY], _payment_id(request)
    if name in merchant.payments and merchant.payments[name].paid_at:
        raise Refused(409, "ALREADY_PAID")
    merchant.registered[name] = (body["totalAmount"], body["currency"])
    request.app[STATE].registered_by[name] = merchant
    return web.json_response({})


@routes.get("/payments/{payment_id}")
async def get_payment(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].find(_payment_id(request)).as_object())


@routes.post("/payments/{payment_id}/cancel")
async def cancel_payment(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].cancel(_payment_id(request), request[BODY]))


@routes.post("/payments/{payment_id}/virtual-account/close")
async def close_account(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].close_account(_payment_id(request)))


@routes.get("/billing-keys/{key}")
async def get_billing_key(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].show_billing_key(request.match_info["key"]))


@routes.delete("/billing-keys/{key}")
async def delete_billing_key(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].delete_billing_key(request.match_info["key"]))


@routes.post("/cash-receipts")
async def issue_receipt(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].issue_receipt(request[BODY]))


@routes.get("/payments/{payment_id}/cash-receipt")
async def get_receipt(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].find_receipt(_payment_id(request)))


@routes.post("/payments/{payment_id}/cash-receipt/cancel")
async def cancel_receipt(request: web.Request) -> web.Response:
    return web.json_response(request[MERCHANT].cancel_receipt(_payment_id(request)))


@routes.get("/payment-events-by-cursor")
async def list_events(request: web.Request) -> web.Response:
    merchant = request[MERCHANT]
    rows = _page(request, merchant.events, lambda row: str(row["createdAt"]))
    return web.json_response({"items": [{"paymentEvent": r, "cursor": c} for r, c in rows]})


@routes.get("/payments-by-cursor")
async def list_payments(request: web.Request) -> web.Response:
    shown = [payment.as_object() for payment in request[MERCHANT].payments.values()]
    rows = _page(request, shown, lambda row: str(row["requestedAt"]))
    return web.json_response({"items": [{"payment": r, "cursor": c} for r, c in rows]})


def _page(
    request: web.Request, rows: list[dict[str, Any]], moment: Callable[[dict[str, Any]], str]
) -> list[tuple[dict[str, Any], str]]:
    """A GET carries its JSON in `requestBody`; 10 rows a page unless asked, 1000 at most."""
    asked = json.loads(request.query.get("requestBody") or "{}")
    size, after = asked.get("size", 10), int(asked.get("cursor") or 0)
    if not 1 <= size <= 1000:
        raise Refused(400, "INVALID_REQUEST")

    def is_within(row: dict[str, Any]) -> bool:
        at = datetime.fromisoformat(moment(row))
        return ("from" not in asked or at >= datetime.fromisoformat(asked["from"])) and (
            "until" not in asked or at < datetime.fromisoformat(asked["until"])
        )

    found = [(row, str(n)) for n, row in enumerate(rows, 1) if n > after and is_within(row)]
    return found[:size]


def build() -> web.Application:
    app = web.Application(middlewares=[speak])
    app[STATE] = State()
    app.add_routes(routes)
    app.add_routes(portone_controls.routes)
    app.cleanup_ctx.append(portone_webhooks.sending)
    return app


def main() -> None:
    """Says its address on one line, so that a starter with `--port 0` learns it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port

    async def serve() -> None:
        runner = web.AppRunner(build(), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        bound = runner.addresses[0][1]
        print(f"portone double on http://127.0.0.1:{bound}", flush=True)  # noqa: T201
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
