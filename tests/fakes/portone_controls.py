"""What a test or a bench may do to the PortOne double, under `/_double/`.

`?secret=` names the merchant. Faults also come for everybody (no secret), and the clock and the
counts are one for all.

    GET    /_double/health
    GET    /_double/counts                requests, and money taken (charges), of everybody
    PUT    /_double/clock                 {offset_s}
    PUT    /_double/merchant?secret=      {channels, cancels_as, stores_errors, webhook_url,
                                           webhook_secret}, any of them
    PUT    /_double/faults[?secret=]      {latency_s, does, is_before, status, body, path, times}
    DELETE /_double/faults[?secret=]
    POST   /_double/billing-keys?secret=  {customer_id, pgCode}; a pgCode declines every charge
    PUT    /_double/billing-keys/K?secret=   {pgCode}
    POST   /_double/deposits?secret=      {paymentId, amount, name, is_late} or {paymentId,
                                           reverse: true}
    POST   /_double/payments?secret=      {paymentId, status, pgCode}: finish a READY payment
    POST   /_double/cancellations?secret= {paymentId, status}: finish a REQUESTED cancel
    GET    /_double/webhooks?secret=      what was told, with headers, bodies, and the answers
    POST   /_double/webhooks?secret=      {index}: tell it again under the same id
    GET    /_double/window?paymentId=...  the page in place of the vendor's script
"""

import html
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from tests.fakes import portone_webhooks
from tests.fakes.portone_books import Merchant
from tests.fakes.portone_payment import Refused
from tests.fakes.portone_state import STATE, Fault

EVERYBODY = "*"
METHODS = {
    "CARD": "PaymentMethodCard",
    "TRANSFER": "PaymentMethodTransfer",
    "EASY_PAY": "PaymentMethodEasyPay",
    "MOBILE": "PaymentMethodMobile",
}
SETTABLE = ("channels", "cancels_as", "stores_errors", "webhook_url", "webhook_secret")
WINDOW_FIELDS = ("paymentId", "orderName", "totalAmount", "currency", "payMethod", "channelKey")
WINDOW_FIELDS += ("storeId", "successUrl", "failUrl")

routes = web.RouteTableDef()


async def answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        response = await handler(request)
    except Refused as refused:
        return web.json_response(refused.body, status=refused.status)
    state = request.app[STATE]
    for merchant in (*state.merchants.values(),):
        portone_webhooks.send_unsent(request.app, merchant)
    return response


def _merchant(request: web.Request) -> Merchant:
    return request.app[STATE].merchant(request.query["secret"])


@routes.get("/_double/health")
async def health(_: web.Request) -> web.Response:
    return web.json_response({})


@routes.get("/_double/counts")
async def counts(request: web.Request) -> web.Response:
    state = request.app[STATE]
    charges = sum(merchant.charges for merchant in state.merchants.values())
    return web.json_response({"requests": state.requests, "charges": charges})


@routes.put("/_double/clock")
async def set_clock(request: web.Request) -> web.Response:
    request.app[STATE].clock.offset_s = (await request.json())["offset_s"]
    return web.json_response({})


@routes.put("/_double/merchant")
async def set_merchant(request: web.Request) -> web.Response:
    merchant = _merchant(request)
    for name, value in (await request.json()).items():
        if name not in SETTABLE:
            raise Refused(400, "INVALID_REQUEST")
        setattr(merchant, name, value)
    return web.json_response({})


@routes.put("/_double/faults")
async def set_fault(request: web.Request) -> web.Response:
    fault = Fault(**await request.json())
    request.app[STATE].faults[request.query.get("secret", EVERYBODY)] = fault
    return web.json_response(asdict(fault))


@routes.delete("/_double/faults")
async def clear_fault(request: web.Request) -> web.Response:
    request.app[STATE].faults.pop(request.query.get("secret", EVERYBODY), None)
    return web.json_response({})


@routes.post("/_double/billing-keys")
async def add_billing_key(request: web.Request) -> web.Response:
    body = await request.json()
    key = _merchant(request).add_billing_key(body["customer_id"], body.get("pgCode", ""))
    return web.json_response({"billingKey": key})


@routes.put("/_double/billing-keys/{key}")
async def set_billing_key(request: web.Request) -> web.Response:
    known = _merchant(request).billing_keys[request.match_info["key"]]
    known["pgCode"] = (await request.json())["pgCode"]
    return web.json_response({})


@routes.post("/_double/deposits")
async def deposit(request: web.Request) -> web.Response:
    merchant, body = _merchant(request), await request.json()
    if body.get("reverse"):
        merchant.reverse_deposit(body["paymentId"])
    else:
        merchant.deposit(
            body["paymentId"],
            body["amount"],
            name=body.get("name", "홍길동"),
            is_late=body.get("is_late", False),
        )
    return web.json_response(merchant.find(body["paymentId"]).as_object())


@routes.post("/_double/payments")
async def finish_payment(request: web.Request) -> web.Response:
    merchant, body = _merchant(request), await request.json()
    payment = merchant.find(body["paymentId"])
    if body["status"] == "PAID":
        merchant.settle(payment)
    elif body["status"] == "FAILED":
        merchant.fail(payment, body.get("pgCode"))
    else:
        payment.status = body["status"]
    return web.json_response(payment.as_object())


@routes.post("/_double/cancellations")
async def finish_cancel(request: web.Request) -> web.Response:
    merchant, body = _merchant(request), await request.json()
    payment = merchant.find(body["paymentId"])
    waiting = next(c for c in payment.cancellations if c["status"] == "REQUESTED")
    waiting["status"] = body["status"]
    merchant.finish_cancel(payment, waiting)
    return web.json_response(payment.as_object())


@routes.get("/_double/webhooks")
async def list_webhooks(request: web.Request) -> web.Response:
    return web.json_response(_merchant(request).outbox)


@routes.post("/_double/webhooks")
async def send_again(request: web.Request) -> web.Response:
    merchant = _merchant(request)
    message = merchant.outbox[(await request.json())["index"]]
    portone_webhooks.send(request.app, merchant, message)
    return web.json_response(message)


@routes.get("/_double/window")
async def show_window(request: web.Request) -> web.Response:
    """Opening it makes the payment READY, as the vendor's window does."""
    asked = {name: request.query.get(name, "") for name in WINDOW_FIELDS}
    merchant = _opener(request, asked["paymentId"])
    if asked["paymentId"] not in merchant.payments:
        total = int(asked["totalAmount"])
        payment = merchant.begin(
            asked["paymentId"],
            asked | {"amount": {"total": total}, "channelKey": asked["channelKey"]},
        )
        payment.method = {"type": METHODS.get(asked["payMethod"], METHODS["CARD"])}
        merchant.move(payment, "READY")
    kept = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(asked[name])}">'
        for name in ("paymentId", "successUrl", "failUrl")
    )
    page = f"""<!doctype html><html lang="ko"><meta charset="utf-8"><title>결제창</title>
<h1>{html.escape(asked["orderName"])}</h1><p>{html.escape(asked["totalAmount"])}원</p>
<form method="post" action="/_double/window">{kept}
<label for="pg-code">거절 코드</label><input id="pg-code" name="pgCode" value="CC10">
<button name="decision" value="approve">결제 승인</button>
<button name="decision" value="decline">결제 거절</button>
<button name="decision" value="cancel">취소</button></form></html>"""
    return web.Response(text=page, content_type="text/html")


@routes.post("/_double/window")
async def decide(request: web.Request) -> web.StreamResponse:
    said = {name: str(value) for name, value in (await request.post()).items()}
    merchant = _opener(request, said["paymentId"])
    payment = merchant.find(said["paymentId"])
    back = {"paymentId": payment.id, "transactionType": "PAYMENT", "txId": payment.transaction_id}
    decision = said["decision"]
    if decision == "approve" and merchant.registered[payment.id][0] != payment.total:
        decision = "decline"  # another amount than the merchant's server has named
    if decision == "approve":
        merchant.settle(payment)
        return _back(said["successUrl"], back)
    if decision == "decline":
        merchant.fail(payment, said.get("pgCode") or None)
        back |= {"code": "FAILURE_TYPE_PG", "pgCode": said.get("pgCode", "")}
    else:
        back |= {"code": "USER_CANCEL"}
    return _back(said["failUrl"], back | {"message": "결제가 완료되지 않았습니다"})


def _opener(request: web.Request, payment_id: str) -> Merchant:
    """A browser knows no secret: the window belongs to who registered the payment."""
    merchant = request.app[STATE].registered_by.get(payment_id)
    if merchant is None:
        raise Refused(404, "PAYMENT_NOT_FOUND")
    return merchant


def _back(url: str, said: dict[str, str]) -> web.Response:
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
        raise Refused(400, "INVALID_REQUEST")
    joint = "&" if urlsplit(url).query else "?"
    return web.Response(status=303, headers={"Location": f"{url}{joint}{urlencode(said)}"})
