"""`/_sandbox/*`: the levers and gauges of the sandbox. Not part of the vendor's API.

No key is needed. A request that a web page of another origin sent (it carries Origin) is refused.
"""

import json
import os
import secrets
import time
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox import (
    accounts,
    billing,
    billing_window,
    clock,
    payment_object as objects,
    payments,
    reports,
    window,
)
from sandbox.books import Books, Held, Json, Merchant
from sandbox.errors import Answer, ControlRefused, answer_of, to_json
from sandbox.faults import checked_profile
from sandbox.hosts import is_here
from sandbox.server import Request

_PAYOUT_STATUSES: Final = ("REQUESTED", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELED")


def handle(
    books: Books, request: Request, merchant: Merchant, window_hosts: frozenset[str]
) -> Answer:
    """Answer one control call; raises ControlRefused."""
    if request.path == "/_sandbox/window" and request.method in ("GET", "POST"):
        return window.handle(books, request, window_hosts)
    if request.path == "/_sandbox/window/billing" and request.method in ("GET", "POST"):
        return billing_window.handle(books, request, window_hosts)
    if b"origin" in request.headers:
        raise ControlRefused("Control calls are not taken from web pages.", 403)
    match [request.method, *request.path.strip("/").split("/")[1:]]:
        case ["GET", *what]:
            return _read(books, what, request)
        case ["POST", "authentications"]:
            return payments.authenticate(books, merchant, _object(request))
        case ["POST", "deposits"]:
            return accounts.deposit(books, merchant, _object(request))
        case ["POST", "payouts"]:
            return _announce_payout(books, _object(request))
        case ["POST", "cards", billing_key]:
            return billing.set_card_state(books, billing_key, _object(request).get("state"))
        case ["PUT" | "DELETE", "faults" | "webhooks" | "clock" as what]:
            if request.method == "PUT":
                _SETTERS[what](books, _object(request))
            elif _is_set(books, what):
                _SETTERS[what](books, None)
            return _read(books, [what], request)
        case _:
            raise _unknown(request)


def _read(books: Books, what: list[str], request: Request) -> Answer:
    match what:
        case ["health"]:
            return _health(books)
        case ["counts"]:
            return answer_of(dict(sorted(books.counts.items())))
        case ["payments"]:
            return _payments(books, request.query())
        case ["deposits"]:
            return answer_of(books.deposits)
        case ["settlements", day]:
            return _settlements(books, day, request.query())
        case ["faults"]:
            return answer_of(books.faults.profile)
        case ["webhooks"]:
            return answer_of(_webhooks(books))
        case ["clock"]:
            return answer_of({"now": clock.stamp(books.now()), "offset_s": books.clock_offset_s})
        case _:
            raise _unknown(request)


def check_webhook_url(url: Any) -> str:
    """The target if it is on this machine; raises ControlRefused."""
    if not isinstance(url, str):
        raise ControlRefused("url must be a text such as http://127.0.0.1:8000/webhooks/toss.")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise ControlRefused(f"url {url!r} is not an address.") from None
    if parts.scheme not in ("http", "https") or not is_here(host):
        raise ControlRefused("url must be http(s) on loopback: the sandbox calls nobody else.")
    return url


def _health(books: Books) -> Answer:
    return answer_of(
        {
            "status": "ok",
            "pid": os.getpid(),
            "cpu_s": time.process_time(),
            "now": clock.stamp(books.now()),
            "payments": sum(len(merchant.payments) for merchant in books.merchants.values()),
            "webhooks_pending": len(books.events),
        }
    )


def _payments(books: Books, query: dict[str, str]) -> Answer:
    """Every Payment, oldest first; `since` = changed at or after, `after` = a paymentKey."""
    wanted: list[Held] = [
        held for merchant in books.merchants.values() for held in merchant.payments.values()
    ]
    if "mId" in query:
        wanted = [held for held in wanted if held.merchant_id == query["mId"]]
    if query.get("since"):
        try:
            since_s = clock.parse_instant(query["since"])
        except (ValueError, OverflowError):
            raise ControlRefused("since must be an ISO 8601 date or time.") from None
        wanted = [held for held in wanted if held.changed_at >= since_s]
    if "after" in query:
        keys = [held.payment_key for held in wanted]
        if query["after"] not in keys:
            raise ControlRefused("after must be a paymentKey of the list.")
        wanted = wanted[keys.index(query["after"]) + 1 :]
    limit = query.get("limit", str(len(wanted)))
    if not (limit.isascii() and limit.isdigit()):
        raise ControlRefused("limit must be a whole number.")
    return Answer(200, b"[" + b",".join([held.body for held in wanted[: int(limit)]]) + b"]")


def _settlements(books: Books, day: str, query: dict[str, str]) -> Answer:
    try:
        errors = float(query.get("errors", books.faults.settlement_errors))
        return reports.settlement_day(books, date.fromisoformat(day), errors)
    except ValueError:
        raise ControlRefused("Use /_sandbox/settlements/YYYY-MM-DD?errors=SHARE.") from None


def _announce_payout(books: Books, wish: Json) -> Answer:
    """`POST /_sandbox/payouts`: a payout.changed, signed with each of `securityKeys`.

    Two keys are what the vendor signs with while one replaces the other.
    """
    keys = wish.get("securityKeys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= 2 or not all(map(_is_key, keys)):
        raise ControlRefused("securityKeys must be one or two texts of 1 to 128 characters.")
    status = wish.get("status", "COMPLETED")
    if status not in _PAYOUT_STATUSES:
        raise ControlRefused(f"status must be one of {', '.join(_PAYOUT_STATUSES)}.")
    if books.webhook is None:
        raise ControlRefused("Register a webhook target first.", 409)
    event: Json = {
        "eventType": "payout.changed",
        "createdAt": clock.webhook_stamp(books.now()),
        "version": objects.VERSION,
        "eventId": secrets.token_hex(16),
        "entityType": "payout",
        "entityBody": {
            "id": secrets.token_hex(12),
            "refPayoutId": str(wish.get("refPayoutId") or secrets.token_hex(8)),
            "status": status,
            "amount": {"currency": "KRW", "value": 10_000},
        },
    }
    books.announce(event, signed_with=keys)
    return answer_of(event)


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 128


def _set_faults(books: Books, wish: Json | None) -> None:
    books.record_faults({} if wish is None else checked_profile(wish))


def _set_webhook(books: Books, wish: Json | None) -> None:
    books.record_webhook(None if wish is None else {"url": check_webhook_url(wish.get("url"))})


def _set_clock(books: Books, wish: Json | None) -> None:
    """`{"offset_s": n}` or `{"now": ISO 8601}` moves the clock; DELETE sets it back."""
    if wish is None:
        books.record_clock(0.0)
    elif "now" in wish:
        try:
            books.record_clock(clock.parse_instant(str(wish["now"])) - time.time())
        except (ValueError, OverflowError):
            raise ControlRefused("now must be an ISO 8601 time.") from None
    elif isinstance(wish.get("offset_s"), int | float):
        books.record_clock(float(wish["offset_s"]))
    else:
        raise ControlRefused("Send now (ISO 8601) or offset_s (seconds).")


_SETTERS: Final = {"faults": _set_faults, "webhooks": _set_webhook, "clock": _set_clock}


def _is_set(books: Books, what: str) -> bool:
    """Whether there is anything to set back; if not, the journal need not hear of it."""
    return bool(
        {
            "faults": books.faults.profile,
            "webhooks": books.webhook,
            "clock": books.clock_offset_s,
        }[what]
    )


def _webhooks(books: Books) -> Json:
    pending = [
        {"id": event["id"], "tried": event["tried"], "body": event["body"]}
        for event in books.events.values()
    ]
    return {"url": (books.webhook or {}).get("url"), "pending": pending}


def _unknown(request: Request) -> ControlRefused:
    return ControlRefused(f"There is no {request.method} {request.path}.", 404)


def _object(request: Request) -> Json:
    try:
        body = json.loads(request.body or b"{}")
        to_json(body)  # half of a surrogate pair is JSON, but no text
    except (ValueError, RecursionError):
        raise ControlRefused("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ControlRefused("The body must be a JSON object.")
    return body
