"""Whatever PortOne's address answers, each question ends in one outcome and never in an exception.

A real socket server gives the answers: garbage, half answers, wrong types, wrong amounts, success
with an error body and errors with a success body.
"""

import asyncio
import copy
import json
import math
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings, strategies as st

from opsapp.gateways.base import GatewayAway
from opsapp.gateways.http import Limits
from opsapp.gateways.portone import PortOneGateway
from opsapp.gateways.values import (
    AccountClosing,
    Answer,
    BankAccount,
    BillingKeyDeletion,
    BillingKeyRequest,
    CashReceiptCancel,
    CashReceiptRequest,
    ChargeRequest,
    Flow,
    Inquiry,
    Outcome,
    RefundRequest,
    WindowRequest,
)
from opsapp.kernel.money import BIGINT_MAX, Money
from opsapp.payments.rules import Ask, Question, RefundVerdict, Verdict, judge, judge_refund
from opsapp.payments.states import AttemptStatus

WON = Money(9900, "KRW")
NAME, KEY = "op_order", "key-of-16-letters"
CHANNELS = "card=c@KCP_V2,virtual_account=v@KCP_V2"
PAYMENT = {
    "status": "PAID",
    "id": NAME,
    "transactionId": "t-1",
    "channel": {"pgProvider": "KCP_V2"},
    "amount": {"total": 9900, "paid": 9900, "cancelled": 0, "discount": 0},
    "currency": "KRW",
    "paidAt": "2026-01-02T03:04:05Z",
    "receiptUrl": "https://receipt.invalid/1",
    "method": {
        "type": "PaymentMethodCard",
        "card": {"issuer": "KOOKMIN_CARD", "number": "4330****"},
        "approvalNumber": "00000001",
        "installment": {"month": 3, "isInterestFree": True},
    },
    "cancellations": [{"status": "SUCCEEDED", "id": "c-1", "totalAmount": 0}],
}
ACCOUNT = PAYMENT | {
    "status": "VIRTUAL_ACCOUNT_ISSUED",
    "paidAt": None,
    "amount": {"total": 9900, "paid": 4000, "cancelled": 0, "discount": 0},
    "method": {
        "type": "PaymentMethodVirtualAccount",
        "bank": "SHINHAN",
        "accountNumber": "X1",
        "remitterName": "홍길동",
        "expiredAt": "2026-01-09T03:04:05Z",
    },
}
FAILED = PAYMENT | {"status": "FAILED", "failure": {"reason": "거절", "pgCode": "CC10"}}
CANCELLED = {"cancellation": {"status": "SUCCEEDED", "id": "c-1", "totalAmount": 9900}}
BILLING = {
    "status": "ISSUED",
    "billingKey": "b-1",
    "customer": {"id": "customer"},
    "methods": [{"type": "BillingKeyPaymentMethodCard", "card": {"bin": "433012", "number": "4*"}}],
}
RECEIPT = {"status": "ISSUED", "issueNumber": "1", "amount": 9900, "currency": "KRW", "url": "x"}
EVENTS = {"items": [{"cursor": "1", "paymentEvent": PAYMENT | {"type": "PAID"}}]}
ERROR = {"type": "PG_PROVIDER", "message": "거절", "pgCode": "CC10", "pgMessage": "잔액 부족"}
SHAPES = [PAYMENT, ACCOUNT, FAILED, CANCELLED, BILLING, RECEIPT, {"cashReceipt": RECEIPT}]
SHAPES += [EVENTS, ERROR, {}, {"closedAt": "2026-01-02T03:04:05Z"}]

strange_texts = st.sampled_from(["", "\0", "\ud800", "x" * 5000, "KRW", "won", "PAID", "2026"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text(max_size=6)
    | strange_texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(shape, before=()):
    """Every path into a JSON value."""
    found = [before] if before else []
    children = (
        shape.items()
        if isinstance(shape, dict)
        else enumerate(shape)
        if isinstance(shape, list)
        else ()
    )
    for name, child in children:
        found += places(child, (*before, name))
    return found


@st.composite
def spoilt(draw):
    """An answer of the vendor with up to two values replaced or gone."""
    shape = copy.deepcopy(draw(st.sampled_from(SHAPES)))
    for _ in range(draw(st.integers(0, 2))):
        if not (known := places(shape)):
            break
        *way, last = draw(st.sampled_from(known))
        parent = shape
        for step in way:
            parent = parent[step]
        if draw(st.booleans()):
            parent[last] = draw(values)
        else:
            del parent[last]
    return json.dumps(shape).encode()


bodies = spoilt() | st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode())
statuses = st.sampled_from([200, 201, 204, 301, 304, 400, 401, 404, 409, 429, 500, 502, 503, 599])


@st.composite
def answers(draw):
    """The bytes on the wire: mostly HTTP, sometimes cut short, sometimes nothing of the kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=80))
    body = draw(bodies)
    length = len(body) + draw(st.sampled_from([0, 0, 0, 0, 7]))
    kind = draw(st.sampled_from([b"application/json", b"text/html", b"image/png; charset=x"]))
    head = b"HTTP/1.1 %d X\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (draw(statuses), kind, length) + body


class Server:
    """Gives the prepared answers one after the other, the last one for ever."""

    def __init__(self):
        self.answers = [b""]

    async def serve(self, reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"content-length: " in head:
                length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
        writer.close()


class Line:
    def __init__(self, runner, server, gateway):
        self.runner, self.server, self.gateway = runner, server, gateway

    def ask(self, question, *given):
        self.server.answers = list(given)

        async def asked():
            return await question(self.gateway)

        return self.runner.run(asked())


@pytest.fixture(scope="module")
def line():
    with asyncio.Runner() as runner:
        server = Server()
        listening = runner.run(start(server))
        port = listening.sockets[0].getsockname()[1]
        gateway = PortOneGateway(
            url=f"http://127.0.0.1:{port}",
            secret="s",
            limits=Limits(5, 5, abreast_max=4, rate_per_s_max=0),
            channels=CHANNELS,
        )
        connected = gateway.connected()
        runner.run(connected.__aenter__())
        yield Line(runner, server, gateway)
        runner.run(connected.__aexit__(None, None, None))
        runner.run(stop(listening))


async def start(server):
    return await asyncio.start_server(server.serve, "127.0.0.1", 0)


async def stop(listening):
    listening.close()
    await listening.wait_closed()


def charge(flow, *, method=False):
    body = b'{"channelKey":"v","method":{}}' if method else b'{"channelKey":"c"}'
    return ChargeRequest(flow, NAME, KEY, body, "b-1", None, math.inf)


REFUND = RefundRequest(NAME, KEY, WON, WON, "reason", math.inf, BankAccount("88", "1", "x"))
RECEIPT_WISH = CashReceiptRequest(
    NAME, "title", "income_deduction", "01012345678", WON, Money(0, "KRW"), KEY
)
WINDOW = WindowRequest(
    "card", NAME, "title", WON, "customer", "name", "e@x", KEY, "http://a/", "http://b/", "ko"
)
TODAY = date(2026, 1, 2)
QUESTIONS = {
    "charge": lambda g: g.charge(charge(Flow.BILLING)),
    "account": lambda g: g.charge(charge(Flow.ACCOUNT, method=True)),
    "window": lambda g: g.charge(charge(Flow.WINDOW)),
    "inquire": lambda g: g.inquire(Inquiry(NAME, None, Flow.BILLING)),
    "refund": lambda g: g.refund(REFUND),
    "close": lambda g: g.close_account(AccountClosing(NAME, NAME, KEY, "late")),
    "open_window": lambda g: g.open_window(WINDOW),
    "issue": lambda g: g.issue_billing_key(BillingKeyRequest("customer", "b-1", KEY)),
    "delete": lambda g: g.delete_billing_key(BillingKeyDeletion("b-1", KEY)),
    "receipt": lambda g: g.issue_cash_receipt(RECEIPT_WISH),
    "receipt_cancel": lambda g: g.cancel_cash_receipt(CashReceiptCancel(NAME, WON, KEY)),
    "receipt_find": lambda g: g.find_cash_receipt(NAME, requested_on=TODAY),
}


def question_of(ask, previous=AttemptStatus.READY):
    return Question(ask, previous, False, True, WON, turns=1)


def is_storable(answer: Answer) -> bool:
    """Amounts and texts that a column can hold: an answer must not be lost while it is written."""
    amounts = [answer.amount, answer.refunded, answer.deposited]
    texts = [answer.gateway_key, answer.deposit_key, answer.depositor, answer.code]
    texts += [answer.approval_number, answer.receipt_url, answer.transaction_key, answer.because]
    texts += [v for v in (answer.paid_with or {}).values() if isinstance(v, str)]
    return all(0 <= a.minor <= BIGINT_MAX for a in amounts if a) and all(
        "\0" not in text and text.encode() is not None for text in texts if text
    )


@pytest.mark.parametrize("name", QUESTIONS)
@settings(max_examples=60, deadline=None)
@given(first=answers(), second=answers())
def test_any_answer_ends_in_exactly_one_outcome(line, name, first, second):
    answer = line.ask(QUESTIONS[name], first, second)
    assert isinstance(answer, Answer)
    assert answer.outcome in Outcome
    assert is_storable(answer)
    if name == "refund":
        verdict = judge_refund(answer, question_of(Ask.SEND), refunded_before=Money(0, "KRW"))
        assert isinstance(verdict, RefundVerdict)
    else:
        assert isinstance(judge(answer, question_of(Ask.SEND)), Verdict)
        assert isinstance(judge(answer, question_of(Ask.INQUIRE)), Verdict)


@settings(max_examples=200, deadline=None)
@given(given_bytes=spoilt())
def test_money_is_approved_only_by_a_whole_amount_of_this_very_payment(line, given_bytes):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(given_bytes)
    answer = line.ask(QUESTIONS["inquire"], head + given_bytes)
    if answer.outcome is Outcome.APPROVED:
        told = json.loads(given_bytes)
        assert told["id"] == NAME
        assert type(told["amount"]["total"]) is int
        assert answer.amount == Money(told["amount"]["total"], told["currency"])
        assert told["status"] in ("PAID", "PARTIAL_CANCELLED", "CANCELLED")


@settings(max_examples=100, deadline=None)
@given(first=answers(), second=answers())
def test_books_that_make_no_sense_are_away_and_nothing_else(line, first, second):
    now = datetime(2026, 1, 2, tzinfo=UTC)
    with suppress(GatewayAway):
        rows = line.ask(lambda g: g.list_transactions(now, now), first, second)
        assert all(type(row.amount.minor) is int for row in rows)


def ok(body: bytes, *, status: int = 200) -> bytes:
    head = b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (status, len(body)) + body


@pytest.mark.parametrize(
    ("wire", "outcome"),
    [
        (ok(json.dumps(PAYMENT).encode()), Outcome.APPROVED),
        (ok(json.dumps(PAYMENT).encode(), status=500), Outcome.UNKNOWN),
        (ok(json.dumps(ERROR).encode()), Outcome.UNKNOWN),
        (ok(json.dumps(PAYMENT | {"id": "other"}).encode()), Outcome.UNKNOWN),
        (ok(json.dumps(PAYMENT | {"currency": None}).encode()), Outcome.UNKNOWN),
        (ok(json.dumps(PAYMENT | {"amount": {"total": 9900.0}}).encode()), Outcome.UNKNOWN),
        (ok(json.dumps(PAYMENT | {"amount": {"total": True}}).encode()), Outcome.UNKNOWN),
        (ok(json.dumps(PAYMENT | {"amount": {"total": -1}}).encode()), Outcome.UNKNOWN),
        (ok(json.dumps(PAYMENT).encode()[:-5]), Outcome.UNKNOWN),
        (ok(b"x" * 100)[:-50], Outcome.UNKNOWN),
        (ok(b"[" * 100_000), Outcome.UNKNOWN),
        (ok(b"<html>", status=301), Outcome.UNKNOWN),
        (ok(b"", status=204), Outcome.UNKNOWN),
        (b"", Outcome.UNKNOWN),
    ],
)
def test_these_answers_of_an_inquiry_mean_this(line, wire, outcome):
    assert line.ask(QUESTIONS["inquire"], wire).outcome is outcome


@pytest.mark.parametrize("strange", ["1\0", "\ud800", "x" * 5000])
def test_a_text_that_no_column_can_hold_is_cut_to_what_one_can(line, strange):
    method = PAYMENT["method"] | {"approvalNumber": strange}
    answer = line.ask(QUESTIONS["inquire"], ok(json.dumps(PAYMENT | {"method": method}).encode()))
    assert (answer.outcome, is_storable(answer)) == (Outcome.APPROVED, True)
    assert 0 < len(answer.approval_number) <= 200
    refused = ok(json.dumps(ERROR | {"pgCode": strange}).encode(), status=502)
    answer = line.ask(QUESTIONS["charge"], refused)
    assert (answer.outcome, is_storable(answer)) == (Outcome.UNKNOWN, True)


@pytest.mark.parametrize(
    "then", [ok(json.dumps(FAILED).encode()), ok(b'{"type": "PAYMENT_NOT_FOUND"}', status=404)]
)
def test_a_charge_that_was_accepted_and_then_reads_otherwise_is_uncertain(line, then):
    assert line.ask(QUESTIONS["charge"], ok(b"{}"), then).outcome is Outcome.UNKNOWN
    assert line.ask(QUESTIONS["inquire"], then).outcome is not Outcome.UNKNOWN


def test_another_currency_is_told_and_not_judged_a_success(line):
    foreign = ok(json.dumps(PAYMENT | {"currency": "USD"}).encode())
    answer = line.ask(QUESTIONS["inquire"], foreign)
    assert judge(answer, question_of(Ask.INQUIRE)).status == AttemptStatus.NEEDS_HUMAN
