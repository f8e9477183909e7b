"""Whatever comes back over the wire, it ends in one outcome, and in a verdict.

A server of bytes stands in for the gateway: it knows no HTTP and sends what the test wishes.
"""

import asyncio
import contextlib
import json
import math
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from opsapp.gateways import http
from opsapp.gateways.base import GatewayAway
from opsapp.gateways.http import Limits
from opsapp.gateways.values import Answer, ChargeRequest, Flow, Outcome
from opsapp.kernel.money import Money
from opsapp.payments import rules
from opsapp.payments.states import AttemptStatus, RefundStatus
from tests.conformance.toss import WON, Till, opened

ORDER = "op_any_answer"
KEY = "pay_any_answer"
RESET = struct.pack("ii", 1, 0)  # linger for zero seconds: close() sends RST
PAYMENT: dict[str, Any] = {
    "paymentKey": KEY,
    "orderId": ORDER,
    "status": "DONE",
    "method": "카드",
    "currency": "KRW",
    "totalAmount": WON.minor,
    "balanceAmount": WON.minor,
    "approvedAt": "2026-01-01T00:00:00+09:00",
    "lastTransactionKey": "T1",
    "cancels": None,
    "card": {"amount": WON.minor, "issuerCode": "11", "number": "4330****", "approveNo": "1"},
    "easyPay": {"provider": "토스페이", "amount": 0, "discountAmount": 0},
    "virtualAccount": {
        "bankCode": "88",
        "accountNumber": "X1",
        "dueDate": "2026-01-01T00:00:00",
        "expired": False,
    },
    "failure": {"code": "REJECT_CARD_PAYMENT"},
    "billingKey": "bk",
    "customerKey": "customer",
    "secret": "ps",
}


class Wire:
    """Answers every request with the same bytes and closes; `resets` closes with RST.

    `before` is said first, each once.
    """

    def __init__(self) -> None:
        self.says = b""
        self.before: list[bytes] = []
        self.resets = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # The other side may have heard enough before the end.
            with connection, contextlib.suppress(OSError):
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += heard(connection)
        head, _, body = seen.partition(b"\r\n\r\n")
        named = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        length = int(named[0].split(b":")[1]) if named else 0
        while len(body) < length:
            body += heard(connection)
        connection.sendall(self.before.pop(0) if self.before else self.says)
        if self.resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        connection.shutdown(socket.SHUT_WR)


def heard(connection: socket.socket) -> bytes:
    part = connection.recv(65_536)
    if not part:
        raise OSError("the other side has hung up")
    return part


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def till(wire: Wire) -> Iterator[Till]:
    limits = Limits(timeout_s=3, inquiry_timeout_s=3, abreast_max=4, rate_per_s_max=0)
    with opened(wire.url, limits=limits) as till:
        till.customer_key = "customer"
        yield till


def over_http(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {size}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + body


ASKING: dict[str, Callable[[Till], Answer]] = {
    "charge": lambda till: till.charge(Flow.BILLING, ORDER, billing_key="bk"),
    "confirm": lambda till: till.charge(Flow.WINDOW, ORDER, gateway_key=KEY),
    "account": lambda till: till.account(ORDER),
    "inquire": lambda till: till.inquire(ORDER),
    "refund": lambda till: till.refund(KEY, 1000),
    "close": lambda till: till.close_account(KEY, ORDER),
    "issue": lambda till: till.issue("auth"),
    "delete": lambda till: till.delete("bk"),
    "receipt": lambda till: till.issue_receipt(ORDER),
    "cancel receipt": lambda till: till.cancel_receipt("r"),
    "find receipt": lambda till: till.ask(
        till.gateway.find_cash_receipt("r", requested_on=date(2026, 1, 1))
    ),
}
NO_CURSOR = b'{"data": [], "hasNext": true}'
NOW = datetime(2026, 1, 1, tzinfo=UTC)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=30)
    | st.sampled_from(
        ["DONE", "CANCELED", "PARTIAL_CANCELED", "WAITING_FOR_DEPOSIT", "ABORTED", "EXPIRED",
         "IN_PROGRESS", "KRW", "USD", "\ud800", "\0", "x" * 1000, "0001-01-01T00:00:00",
         "9999-12-31T23:59:59-12:00", "REJECT_CARD_PAYMENT", "UNHEARD_OF", "가상계좌", "간편결제",
         "휴대폰", WON.minor, str(WON.minor), float(WON.minor)]
    )
)  # fmt: skip
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)
cancels = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "cancelAmount": st.integers(-5, WON.minor) | scalars,
            "cancelStatus": st.sampled_from(["DONE", "IN_PROGRESS", "ABORTED"]) | scalars,
            "transactionKey": st.just("C1") | scalars,
        },
    ),
    max_size=3,
)
payments = st.dictionaries(st.sampled_from(sorted(PAYMENT)), anything | cancels, max_size=4).map(
    lambda changes: PAYMENT | changes
)
errors = st.fixed_dictionaries(
    {"code": st.sampled_from(["REJECT_CARD_PAYMENT", "UNHEARD_OF", "ALREADY_PROCESSED_PAYMENT"])}
)
bodies = st.one_of(
    payments.map(json.dumps).map(str.encode),
    errors.map(json.dumps).map(str.encode),
    anything.map(json.dumps).map(str.encode),
    st.binary(max_size=200),
)
statuses = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 403, 404, 409, 429, 500, 503, 599])
kinds = st.sampled_from(
    ["Content-Type: application/json", "Content-Type: text/html", "Content-Encoding: gzip",
     "X-TossPayments-Trace-Id: \ufffd\x01", "Transfer-Encoding: chunked", "Set-Cookie: a=b"]
)  # fmt: skip
answers = st.one_of(
    st.builds(over_http, statuses, bodies),
    st.builds(over_http, statuses, bodies, kinds),
    st.builds(lambda status, body: over_http(status, body, length=len(body) + 5), statuses, bodies),
    st.binary(max_size=100),
)


def question(ask: rules.Ask, *, is_resend: bool) -> rules.Question:
    return rules.Question(
        ask=ask, previous="ready", is_resend=is_resend, may_replay=True, expected=WON, turns=1
    )


def check(name: str, answer: Answer, *, is_resend: bool = False) -> None:
    """One outcome, texts that a column can hold, and a verdict with a state of the house."""
    assert isinstance(answer, Answer)
    assert isinstance(answer.outcome, Outcome)
    written = json.dumps(asdict(answer), ensure_ascii=False, default=str)
    assert "\\u0000" not in written
    written.encode()
    for money in (answer.amount, answer.refunded, answer.deposited):
        assert money is None or (money.currency == "KRW" and money.minor >= 0)
    if name == "refund":
        refund = rules.judge_refund(
            answer,
            question(rules.Ask.SEND, is_resend=is_resend),
            refunded_before=Money(0, "KRW"),
        )
        assert refund.status in RefundStatus
    else:
        ask = rules.Ask.INQUIRE if name == "inquire" else rules.Ask.SEND
        assert rules.judge(answer, question(ask, is_resend=is_resend)).status in AttemptStatus


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(sorted(ASKING)),
    said=st.tuples(answers, st.booleans()),
    again=st.booleans(),
)
@example(name="charge", said=(over_http(200, b"1" * 5000), False), again=False)
@example(name="charge", said=(over_http(200, b"[" * 100_000), False), again=False)
@example(name="find receipt", said=(over_http(200, NO_CURSOR), False), again=False)
def test_any_bytes_end_in_one_outcome_and_a_verdict(
    till: Till, wire: Wire, name: str, said: tuple[bytes, bool], again: bool
) -> None:
    wire.says, wire.resets = said
    check(name, ASKING[name](till), is_resend=again)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(payment=payments, name=st.sampled_from(["charge", "confirm", "inquire"]))
def test_money_is_taken_for_received_only_if_the_answer_says_so_in_every_point(
    till: Till, wire: Wire, payment: dict[str, Any], name: str
) -> None:
    wire.says, wire.resets = over_http(200, json.dumps(payment).encode()), False
    answer = ASKING[name](till)
    check(name, answer)
    if answer.outcome is not Outcome.APPROVED:
        return
    assert (payment["orderId"], payment["currency"]) == (ORDER, "KRW")
    assert payment["status"] in ("DONE", "CANCELED", "PARTIAL_CANCELED")
    assert type(payment["totalAmount"]) is int
    assert answer.amount == Money(payment["totalAmount"], "KRW")
    given_back = [
        each["cancelAmount"]
        for each in payment["cancels"] or []
        if each.get("cancelStatus", "DONE") == "DONE"
    ]
    assert answer.refunded == Money(sum(given_back), "KRW")


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(says=answers)
@example(says=over_http(200, b'[{"method": "x"}]'))
def test_books_are_read_whole_or_the_gateway_is_away(till: Till, wire: Wire, says: bytes) -> None:
    wire.says, wire.resets = says, False
    for question in (
        till.gateway.list_transactions(NOW, NOW),
        till.gateway.list_settlements(date(2026, 1, 1)),
    ):
        try:
            assert till.ask(question) == []
        except GatewayAway:
            continue


@pytest.mark.parametrize("name", sorted(ASKING))
@pytest.mark.parametrize(
    ("says", "resets"),
    [
        (b"", False),
        (b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Le", True),
        (b"\x16\x03\x01\x02\x00", False),
        (over_http(200, b"<html>busy</html>", "Content-Type: text/html"), False),
        (over_http(200, b'{"status": "DO', length=4096), False),
        (over_http(500, json.dumps(PAYMENT).encode()), False),
        (over_http(200, b'{"code": "REJECT_CARD_PAYMENT", "message": ""}'), False),
        (over_http(200, json.dumps(PAYMENT | {"orderId": "op_other", "paymentKey": "x",
                                              "customerKey": "x"}).encode()), False),
        (over_http(200, b"\x1f\x8bno gzip", "Content-Encoding: gzip"), False),
        (over_http(302, b"", "Location: /v1/payments"), False),
        (over_http(200, b"null"), False),
    ],
    ids=[
        "closed", "reset", "reset in the headers", "no HTTP", "HTML", "cut short",
        "500 with a success", "200 with an error", "another's payment", "no gzip", "redirect",
        "null",
    ],
)  # fmt: skip
def test_what_is_no_answer_is_uncertain_for_every_operation(
    till: Till, wire: Wire, name: str, says: bytes, resets: bool
) -> None:
    wire.says, wire.resets = says, resets
    answer = ASKING[name](till)
    is_lenient = name == "delete" and b"op_other" in says  # any object without a code is a yes
    assert answer.outcome is (Outcome.APPROVED if is_lenient else Outcome.UNKNOWN)
    check(name, answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"totalAmount": float(WON.minor)},
        {"totalAmount": str(WON.minor)},
        {"totalAmount": True},
        {"totalAmount": -WON.minor},
        {"totalAmount": None},
        {"totalAmount": 2**63},
        {"currency": "USD"},
        {"currency": None},
        {"balanceAmount": None},
        {"balanceAmount": WON.minor + 1},
        {"balanceAmount": 0},
        {"cancels": [{"cancelAmount": 1, "cancelStatus": "DONE"}]},
        {"cancels": [{"cancelAmount": 1, "cancelStatus": "NEW"}], "balanceAmount": WON.minor - 1},
        {"method": "간편결제", "easyPay": {"amount": 0.5, "discountAmount": 0}},
        {"method": "간편결제", "easyPay": {"amount": 0}},
    ],
    ids=str,
)
def test_a_sum_that_is_not_as_promised_is_uncertain(
    till: Till, wire: Wire, changes: dict[str, Any]
) -> None:
    wire.says, wire.resets = over_http(200, json.dumps(PAYMENT | changes).encode()), False
    for name in ("charge", "inquire"):
        assert ASKING[name](till).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "", "k" * 201, 7, None])
@pytest.mark.parametrize("name", ["paymentKey", "lastTransactionKey"])
def test_a_key_that_no_column_can_hold_is_not_taken(
    till: Till, wire: Wire, name: str, text: object
) -> None:
    payment = PAYMENT | {"method": "가상계좌", name: text}
    wire.says, wire.resets = over_http(200, json.dumps(payment).encode()), False
    answer = ASKING["inquire"](till)
    check("inquire", answer)
    is_left_out = name == "lastTransactionKey" and text is None
    assert answer.outcome is (Outcome.APPROVED if is_left_out else Outcome.UNKNOWN)
    assert answer.deposit_key is None


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 10_000, 7, ["x"]])
def test_a_text_that_no_column_can_hold_is_cut_or_left_out(
    till: Till, wire: Wire, text: object
) -> None:
    strange: dict[str, Any] = {
        "card": {"number": text, "issuerCode": text, "approveNo": text},
        "receipt": {"url": text},
        "virtualAccount": {"depositorName": text},
    }
    wire.says, wire.resets = over_http(200, json.dumps(PAYMENT | strange).encode()), False
    answer = ASKING["inquire"](till)
    check("inquire", answer)
    assert answer.outcome is Outcome.APPROVED
    assert answer.receipt_url is None
    assert len(answer.depositor or "") <= 200


@pytest.mark.parametrize("due", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "", "x", 1])
def test_a_due_time_outside_all_calendars_is_uncertain(till: Till, wire: Wire, due: object) -> None:
    account = {"bankCode": "88", "accountNumber": "X1", "dueDate": due}
    payment = PAYMENT | {"status": "WAITING_FOR_DEPOSIT", "virtualAccount": account}
    wire.says, wire.resets = over_http(200, json.dumps(payment).encode()), False
    assert ASKING["inquire"](till).outcome is Outcome.UNKNOWN


def test_another_amount_than_ours_is_shown_to_a_person(till: Till, wire: Wire) -> None:
    less = {"totalAmount": 100, "balanceAmount": 100}
    wire.says, wire.resets = over_http(200, json.dumps(PAYMENT | less).encode()), False
    answer = ASKING["charge"](till)
    verdict = rules.judge(answer, question(rules.Ask.SEND, is_resend=False))
    assert verdict.status is AttemptStatus.NEEDS_HUMAN


def test_an_endless_answer_is_given_up(
    till: Till, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REPLY_BYTES_MAX", 1 << 20)
    wire.says, wire.resets = over_http(200, b" " * (4 << 20)), False
    assert ASKING["charge"](till).outcome is Outcome.UNKNOWN


def test_a_page_that_was_lost_on_the_way_is_asked_for_again(till: Till, wire: Wire) -> None:
    """A year has many pages: one of them is always lost."""
    wire.before = [over_http(502, b"<html>"), b""]
    wire.says, wire.resets = over_http(200, b"[]"), False
    assert till.ask(till.gateway.list_transactions(NOW, NOW)) == []
    assert wire.before == []
    wire.before, wire.says = [over_http(200, b"[]")], over_http(502, b"")
    till.ask(till.gateway.list_transactions(NOW, NOW))
    with pytest.raises(GatewayAway):
        till.ask(till.gateway.list_transactions(NOW, NOW))


def test_a_list_that_repeats_itself_is_not_followed_for_ever(
    till: Till, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"orderId": ORDER, "paymentKey": KEY, "transactionKey": "T", "status": "DONE",
           "currency": "KRW", "amount": 1, "transactionAt": "2026-01-01T00:00:00"}  # fmt: skip
    monkeypatch.setattr("opsapp.gateways.toss.ROWS_PER_PAGE", 1)
    wire.says, wire.resets = over_http(200, json.dumps([row]).encode()), False
    with pytest.raises(GatewayAway):
        till.ask(asyncio.wait_for(till.gateway.list_transactions(NOW, NOW), timeout=5))


def test_no_call_is_made_after_its_lease(till: Till, wire: Wire) -> None:
    wire.says, wire.resets = over_http(200, json.dumps(PAYMENT).encode()), False
    late = ChargeRequest(Flow.BILLING, ORDER, "pay:key", b"{}", "bk", None, -math.inf)
    assert till.ask(till.gateway.charge(late)).outcome is Outcome.NOT_SENT
