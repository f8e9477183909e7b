"""From a request to its answer: route, key, test code, faults, idempotency, act, journal.

Order matters. A test code answers before anything happens; a fault that loses the request
before its effect leaves no trace under the idempotency key; an answer leaves only when the act
behind it is on disk.
"""

import asyncio
import base64
import binascii
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sandbox import accounts, billing, control, payments, receipts, reports
from sandbox.books import (
    IDEMPOTENCY_WINDOW_S,
    Books,
    Json,
    Merchant,
    StoredAnswer,
    merchant_id_of,
)
from sandbox.call import Call
from sandbox.errors import CODES, Answer, ControlRefused, Refused, to_json
from sandbox.server import Request
from sandbox.storage import Journal
from sandbox.webhooks import Deliverer

_logger = logging.getLogger(__name__)
_KEY_PREFIXES: Final = ("test_sk_", "test_gsk_")
_IDEMPOTENCY_KEY_LIMIT: Final = 300

Handler = Callable[[Books, Call], Answer]
Subject = Literal["order", "payment", "argument", "auth key", "path"]


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` segments are literal, or "*" for an argument; `subject` is what faults key on."""

    method: str
    pattern: tuple[str, ...]
    handler: Handler
    subject: Subject = "path"

    @property
    def name(self) -> str:
        return f"{self.method} /{'/'.join(self.pattern)}"


ROUTES: Final = (
    Route("POST", ("v1", "payments", "confirm"), payments.confirm, "order"),
    Route("GET", ("v1", "payments", "orders", "*"), payments.read_by_order, "argument"),
    Route("POST", ("v1", "payments", "*", "cancel"), payments.cancel, "payment"),
    Route("GET", ("v1", "payments", "*"), payments.read, "payment"),
    Route("POST", ("v1", "virtual-accounts"), accounts.issue, "order"),
    Route("POST", ("v1", "billing", "authorizations", "issue"), billing.issue, "auth key"),
    Route("POST", ("v1", "billing", "authorizations", "card"), billing.issue_from_card),
    Route("POST", ("v1", "billing", "*"), billing.charge, "order"),
    Route("DELETE", ("v1", "billing", "*"), billing.delete, "argument"),
    Route("GET", ("v1", "transactions"), reports.transactions),
    Route("GET", ("v1", "settlements"), reports.settlements),
    Route("POST", ("v1", "cash-receipts"), receipts.issue, "order"),
    Route("POST", ("v1", "cash-receipts", "*", "cancel"), receipts.cancel, "argument"),
    Route("GET", ("v1", "cash-receipts"), receipts.listed),
)


@dataclass(slots=True)
class Turn:
    """One API request on its way through the gateway."""

    request: Request
    route: Route
    call: Call
    scope: str | None = None
    fingerprint: str = ""
    loses_answer: bool = False
    failure: Refused | None = None


class Gateway:
    """Receives requests and answers them; the only writer of books and journal."""

    def __init__(
        self,
        books: Books,
        journal: Journal,
        deliverer: Deliverer,
        loop: asyncio.AbstractEventLoop,
        *,
        latency_ms: float,
        window_hosts: frozenset[str] = frozenset(),
    ) -> None:
        """`window_hosts`: names besides loopback that the payment window returns to."""
        self._books = books
        self._journal = journal
        self._deliverer = deliverer
        self._loop = loop
        self._latency_ms = latency_ms
        self._window_hosts = window_hosts
        self._merchant_ids: dict[bytes, str] = {}
        self._routes: dict[tuple[str, int], list[Route]] = {}
        for route in ROUTES:
            self._routes.setdefault((route.method, len(route.pattern)), []).append(route)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None

    def start(self) -> None:
        """Take up what an earlier run left: pending webhooks, and what has become due."""
        self._deliverer.resume(self._commit)
        self.wake()
        self._set_timer()

    async def close(self) -> None:
        await self._deliverer.close()

    def receive(self, request: Request) -> None:
        try:
            if request.path.startswith("/_sandbox"):
                self._control(request)
            else:
                self._begin(request)
        except (Refused, ControlRefused) as refused:
            self._send(request, refused.answer())
        except Exception:
            _logger.exception("a request failed")
            self._send(request, _OWN_FAULT.answer())

    def wake(self) -> None:
        """Do what the clock has made due, and set the timer for the next."""
        self._timer = self._timer_at = None
        self._do_what_is_due()
        self._commit()

    def _control(self, request: Request) -> None:
        self._do_what_is_due()
        merchant = self._merchant_named(request)
        answer = control.handle(self._books, request, merchant, self._window_hosts)
        # A moved clock makes things due, and the timer's distance wrong.
        self._do_what_is_due()
        self._timer_at = None
        self._commit()
        self._send(request, answer)

    def _merchant_named(self, request: Request) -> Merchant:
        """The merchant of a control call: of its API key if it sends one, else nobody's."""
        if b"authorization" not in request.headers:
            return self._books.merchant("")
        return self._authenticate(request)

    # The way of an API request.

    def _begin(self, request: Request) -> None:
        route, arguments = self._route(request)
        merchant = self._authenticate(request)
        self._books.counts[route.name] += 1
        self._check_test_code(request)
        call = Call(merchant, arguments, request.query(), _body_of(request))
        turn = Turn(request, route, call)
        faults, subject = self._books.faults, self._subject(turn)
        latency_s = faults.latency_s(subject, self._latency_ms)
        if request.method == "GET":
            if faults.inquiry_fails(subject):
                turn.failure = Refused("FAILED_INTERNAL_SYSTEM_PROCESSING")
            self._after(latency_s, self._finish, turn)
            return
        match faults.network(subject, route.name):
            case "lost_before":
                self._after(latency_s + faults.hang_s, request.hang_up)
                return
            case "resets":
                self._after(latency_s, request.reset)
                return
            case "lost_after":
                turn.loses_answer = True
            case "late":
                turn.loses_answer = True
                self._after(faults.hang_s, request.hang_up)
                latency_s = faults.late_after_s
            case "errors_500":
                turn.failure = Refused("FAILED_INTERNAL_SYSTEM_PROCESSING")
                if not faults.errors_500_stored:
                    self._after(latency_s, self._finish, turn)
                    return
            case None:
                pass
        self._take_or_replay(turn, latency_s)

    def _take_or_replay(self, turn: Turn, latency_s: float) -> None:
        """The idempotency key: first use goes on, later uses get the first answer again."""
        key = turn.request.headers.get(b"idempotency-key")
        if key is None:
            self._after(latency_s, self._finish, turn)
            return
        if not 0 < len(key) <= _IDEMPOTENCY_KEY_LIMIT:
            raise Refused("INVALID_IDEMPOTENCY_KEY")
        merchant = turn.call.merchant
        scope = f"{turn.request.method} {turn.request.path} {key.decode('latin-1')}"
        if scope in merchant.in_flight:
            raise Refused("IDEMPOTENT_REQUEST_PROCESSING")
        fingerprint = hashlib.blake2b(turn.request.body, digest_size=12).hexdigest()
        stored = merchant.answers.get(scope)
        if stored is not None and stored.at_s + IDEMPOTENCY_WINDOW_S >= self._books.now():
            if stored.fingerprint != fingerprint:
                raise Refused(
                    "INVALID_IDEMPOTENCY_KEY", "같은 멱등키로 다른 내용의 요청을 보낼 수 없습니다."
                )
            self._books.counts["replays"] += 1
            self._after(latency_s, self._give, turn, Answer(stored.status, stored.body))
            return
        turn.scope, turn.fingerprint = scope, fingerprint
        merchant.in_flight.add(scope)
        self._after(latency_s, self._finish, turn)

    def _finish(self, turn: Turn) -> None:
        """Do what the request asks, remember the answer under its key, and send it."""
        books, merchant = self._books, turn.call.merchant
        answer = self._act(turn)
        if turn.scope is not None:
            stored = StoredAnswer(turn.fingerprint, books.now(), answer.status, answer.body)
            books.record_answer(merchant, turn.scope, stored)
            merchant.in_flight.discard(turn.scope)
        self._commit()
        self._give(turn, answer)

    def _act(self, turn: Turn) -> Answer:
        if turn.failure is not None:
            return turn.failure.answer()
        try:
            self._do_what_is_due()
            return turn.route.handler(self._books, turn.call)
        except Refused as refused:
            return refused.answer()
        except Exception:
            # The sandbox itself is wrong: say so on stderr, and keep serving.
            _logger.exception("a request failed")
            return _OWN_FAULT.answer()

    def _give(self, turn: Turn, answer: Answer) -> None:
        if turn.loses_answer:
            hang_up = turn.request.hang_up
            self._journal.when_durable(lambda: self._after(self._books.faults.hang_s, hang_up))
        else:
            self._send(turn.request, answer)

    def _send(self, request: Request, answer: Answer) -> None:
        self._journal.when_durable(lambda: request.answer(answer))

    def _commit(self) -> None:
        line = self._books.take_act()
        if line is None:
            return
        self._journal.append(line)
        events, self._books.new_events = self._books.new_events, []
        if events:
            self._journal.when_durable(lambda: self._deliverer.deliver(events))
        self._set_timer()

    def _do_what_is_due(self) -> None:
        while (planned := self._books.take_planned()) is not None:
            kind, held = planned
            _PLANNED[kind](self._books, held)

    def _set_timer(self) -> None:
        planned_at = self._books.next_planned_at()
        if planned_at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, planned_at
        if planned_at is not None:
            # The clock can be moved; a day is a safe upper limit for one wait.
            wait_s = min(max(0.0, planned_at - self._books.now()) + 0.001, 86_400.0)
            self._timer = self._loop.call_later(wait_s, self.wake)

    def _after(self, delay_s: float, act: Callable[..., None], *arguments: Any) -> None:
        if delay_s <= 0:
            act(*arguments)
        else:
            self._loop.call_later(delay_s, act, *arguments)

    # Reading a request.

    def _route(self, request: Request) -> tuple[Route, tuple[str, ...]]:
        segments = request.path.strip("/").split("/")
        for route in self._routes.get((request.method, len(segments)), ()):
            pairs = tuple(zip(route.pattern, segments, strict=True))
            if all(wanted in ("*", given) for wanted, given in pairs):
                return route, tuple(given for wanted, given in pairs if wanted == "*")
        raise Refused("NOT_FOUND_HTTP_METHOD")

    def _authenticate(self, request: Request) -> Merchant:
        """`Basic base64(secretKey + ":")`; any test key is a merchant of its own."""
        header = request.headers.get(b"authorization", b"")
        merchant_id = self._merchant_ids.get(header)
        if merchant_id is None:
            merchant_id = merchant_id_of(_secret_key(header))
            self._merchant_ids[header] = merchant_id
        return self._books.merchant(merchant_id)

    def _check_test_code(self, request: Request) -> None:
        code = request.headers.get(b"tosspayments-test-code")
        if code is not None:
            name = code.decode("latin-1")
            raise Refused(name if name in CODES else "INVALID_TEST_CODE")

    def _subject(self, turn: Turn) -> str:
        """What the fault draws of this request are keyed by: the order wherever there is one."""
        call = turn.call
        match turn.route.subject:
            case "order":
                return str(call.body.get("orderId"))
            case "auth key":
                return str(call.body.get("authKey"))
            case "argument":
                return call.arguments[0]
            case "payment":
                held = call.merchant.payments.get(call.arguments[0])
                return held.order_id if held is not None else call.arguments[0]
            case "path":
                return turn.request.path


_PLANNED: Final = {
    "session": payments.expire_session,
    "account_due": accounts.run_out,
    "deposit": accounts.deposit_by_itself,
    "refund_arrives": accounts.refund_arrives,
}


_OWN_FAULT: Final = Refused("FAILED_INTERNAL_SYSTEM_PROCESSING")


def _secret_key(header: bytes) -> str:
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        raise Refused("UNAUTHORIZED_KEY")
    try:
        name, colon, _ = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("INCORRECT_BASIC_AUTH_FORMAT") from None
    if not colon:
        raise Refused("INCORRECT_BASIC_AUTH_FORMAT")
    if name.startswith(("test_ck_", "test_gck_", "live_")):
        raise Refused("INVALID_API_KEY")
    if not name.startswith(_KEY_PREFIXES):
        raise Refused("UNAUTHORIZED_KEY")
    return name


def _body_of(request: Request) -> Json:
    if request.method != "POST":
        return {}
    try:
        body = json.loads(request.body or b"{}")
        if b"\\ud" in request.body or b"\\uD" in request.body:
            to_json(body)  # half of a surrogate pair is JSON, but no text
    except (ValueError, RecursionError):
        raise Refused("INVALID_REQUEST", "요청 본문이 JSON이 아닙니다.") from None
    if not isinstance(body, dict):
        raise Refused("INVALID_REQUEST", "요청 본문은 JSON 객체여야 합니다.")
    return body
