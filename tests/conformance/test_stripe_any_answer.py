"""Any answer whatever ends in exactly one outcome: no exception loses an attempt."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from opsapp.gateways.base import GatewayAway
from opsapp.gateways.http import Limits
from opsapp.gateways.values import (
    AccountClosing,
    Answer,
    BillingKeyDeletion,
    BillingKeyRequest,
    Flow,
    Inquiry,
    Outcome,
    RefundRequest,
)
from opsapp.kernel.money import Money
from opsapp.payments import rules
from opsapp.payments.rules import Ask, Question
from opsapp.payments.states import AttemptStatus
from tests.conformance.stripe_cases import WON, charge_of, stripe_at, talking, window_of

LIMITS = Limits(timeout_s=1, inquiry_timeout_s=1, abreast_max=4, rate_per_s_max=0)
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
STATUSES = (
    "succeeded", "processing", "requires_payment_method", "requires_confirmation",
    "requires_action", "requires_capture", "canceled", "failed", "pending", "brand_new",
)  # fmt: skip

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
amounts = st.sampled_from([12900, 0, 1, -1, 12900.0, "12900", None, True, 10**30, 2**63])
names = st.sampled_from(["card_declined", "rate_limit", "brand_new", "", None, 7, "\ud800", "\x00"])
errors = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["card_error", "api_error", "idempotency_error", None, 3]),
        "code": names,
        "decline_code": names,
        "message": anything,
        "payment_intent": st.fixed_dictionaries({"id": names, "status": st.sampled_from(STATUSES)}),
    },
)
charges = st.fixed_dictionaries(
    {"id": st.just("ch_1"), "currency": st.sampled_from(["krw", "usd", "", None])},
    optional={
        "amount_refunded": amounts,
        "outcome": anything,
        "payment_method_details": anything,
        "receipt_url": st.text(max_size=12) | st.just("https://pay.stripe.com/1"),
    },
)
intents = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["pi_1", "pi_2", "", None, 5, "\x00"]),
        "status": st.sampled_from(STATUSES) | anything,
        "metadata": st.just({"order_id": "op_1"}) | anything,
        "amount": amounts,
        "currency": st.sampled_from(["krw", "KRW", "usd", "won", "", None, 1]),
    },
    optional={
        "amount_received": amounts,
        "latest_charge": charges | anything,
        "last_payment_error": errors | anything,
        "payment_method": anything,
        "customer": anything,
        "client_secret": anything,
        "card": anything,
        "type": st.just("card") | anything,
        "payment_intent": st.just("pi_1") | anything,
        "data": st.lists(anything, max_size=2) | anything,
        "has_more": anything,
        "error": errors | anything,
    },
)
WHOLE = {
    "id": "pi_1", "status": "succeeded", "metadata": {"order_id": "op_1"}, "currency": "krw",
    "amount": 12900, "amount_received": 12900, "latest_charge": {
        "id": "ch_1", "amount_refunded": 0, "currency": "krw", "payment_method_details": {
            "card": {"brand": "visa", "last4": "4242", "authorization_code": "1"}},
    },
    "last_payment_error": None, "payment_intent": "pi_1", "payment_method": "pm_1",
    "customer": "cus_1", "client_secret": "pi_1_secret_1", "type": "card",
    "card": {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030},
    "data": [], "has_more": False,
}  # fmt: skip


@st.composite
def nearly_right(draw: st.DrawFn) -> dict:
    """An answer that would be understood, with at most two things about it changed."""
    changed = draw(st.lists(st.sampled_from(sorted(WHOLE)), max_size=2))
    state = {"status": draw(st.sampled_from(STATUSES))} if draw(st.booleans()) else {}
    if "status" in state and draw(st.booleans()):
        state |= {"amount_received": 0, "last_payment_error": draw(errors)}
    return WHOLE | state | {name: draw(amounts | anything) for name in changed}


bodies = (
    nearly_right() | intents | anything | st.builds(lambda error: {"error": error}, errors)
).map(lambda value: json.dumps(value).encode())
kinds = st.sampled_from(["application/json", "text/html; charset=utf-7", "\x7f"])
encodings = st.sampled_from(["", "gzip", "deflate", "br", "identity, x"])


def plain(status: int, body: bytes) -> bytes:
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@st.composite
def strange(draw: st.DrawFn) -> bytes:
    """Odd heads, bodies cut short, or nothing of HTTP at all."""
    body, encoding = draw(bodies | st.binary(max_size=60)), draw(encodings)
    head = f"HTTP/1.1 {draw(st.integers(200, 599))} Whatever\r\nContent-Type: {draw(kinds)}\r\n"
    head += f"Content-Encoding: {encoding}\r\n" if encoding else ""
    length = len(body) + draw(st.sampled_from([0, 0, 9]))
    head += draw(st.sampled_from([f"Content-Length: {length}\r\n", ""]))
    whole = head.encode("latin-1") + b"\r\n" + body
    return draw(st.sampled_from([whole, whole, whole[: len(whole) // 2], body]))


refusals = st.builds(
    lambda status, error: plain(status, json.dumps({"error": error}).encode()),
    st.sampled_from([400, 401, 402, 403, 404, 409, 429, 500]),
    errors,
)
answers = st.builds(plain, st.just(200), bodies)
near_answers = nearly_right().map(lambda value: plain(200, json.dumps(value).encode()))


def spoken() -> st.SearchStrategy[bytes]:
    """Bytes on the wire."""
    return near_answers | answers | refusals | strange()


class Speaker:
    """Answers everything with the same bytes and closes the connection."""

    said = b""
    port = 0

    @asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _answer(self, reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.said)
            await writer.drain()
        finally:
            writer.close()


@pytest.fixture(scope="module")
def speaker():
    return Speaker()


@pytest.fixture(scope="module")
def talk(speaker):
    gateway = stripe_at("http://127.0.0.1:9", limits=LIMITS)
    with talking(gateway) as connected:
        listening = speaker.listening()
        connected(listening.__aenter__())
        gateway._url = f"http://127.0.0.1:{speaker.port}"
        yield connected
        connected(listening.__aexit__(None, None, None))


def check(answer: Answer) -> None:
    """One outcome, and nothing that a column, a log or a page could not hold."""
    assert isinstance(answer, Answer)
    assert answer.outcome in set(Outcome)
    for text in (
        answer.because, answer.code, answer.gateway_key, answer.approval_number,
        answer.receipt_url, answer.transaction_key, answer.trace_id, answer.unmapped_source,
        *(answer.paid_with or {}).values(),
    ):  # fmt: skip
        if isinstance(text, str):
            assert "\x00" not in text
            text.encode()


def judged(answer: Answer, ask: Ask) -> AttemptStatus:
    question = Question(ask, AttemptStatus.READY, False, True, WON, 1)
    return rules.judge(answer, question).status


@EXAMPLES
@given(said=spoken())
def test_whatever_answers_the_first_step_no_money_is_taken_to_have_moved(talk, speaker, said):
    speaker.said = said
    answer = talk(talk.gateway.charge(charge_of(talk.gateway, "op_1", "cus_1|pm_1")))
    check(answer)
    if answer.outcome is Outcome.PREPARED:
        assert answer.gateway_key


@settings(EXAMPLES, max_examples=150)
@given(said=spoken())
def test_whatever_answers_a_confirmation_ends_in_one_outcome(talk, speaker, said):
    speaker.said = said
    request = charge_of(talk.gateway, "op_1", "cus_1|pm_1", gateway_key="pi_1")
    answer = talk(talk.gateway.charge(request))
    check(answer)
    if judged(answer, Ask.SEND) is AttemptStatus.SUCCEEDED:
        assert b'"succeeded"' in said
        assert (answer.amount, answer.gateway_key) == (WON, "pi_1")


@settings(EXAMPLES, max_examples=150)
@given(said=spoken(), flow=st.sampled_from([Flow.BILLING, Flow.WINDOW]))
def test_whatever_answers_an_inquiry_ends_in_one_outcome(talk, speaker, said, flow):
    speaker.said = said
    answer = talk(talk.gateway.inquire(Inquiry("op_1", "pi_1", flow)))
    check(answer)
    if judged(answer, Ask.INQUIRE) is AttemptStatus.DECLINED:
        assert answer.failure_class is not None
        over = (b'"canceled"', b'"requires_payment_method"')
        assert any(each in said for each in (over[:1] if flow is Flow.WINDOW else over))


@EXAMPLES
@given(said=spoken())
def test_whatever_answers_a_refund_ends_in_one_outcome(talk, speaker, said):
    speaker.said = said
    refund = RefundRequest("pi_1", "refund:1", WON, WON, "고객 변심", float("inf"))
    answer = talk(talk.gateway.refund(refund))
    check(answer)
    question = Question(Ask.SEND, AttemptStatus.READY, False, True, WON, 1)
    assert rules.judge_refund(answer, question, refunded_before=Money(0, "KRW")).because


@EXAMPLES
@given(said=spoken())
def test_whatever_answers_the_other_operations_ends_in_one_outcome(talk, speaker, said):
    speaker.said = said
    gateway = talk.gateway
    for question in (
        gateway.issue_billing_key(BillingKeyRequest("customer-1", "pm_1", "method:1")),
        gateway.issue_billing_key(BillingKeyRequest("customer-1", "seti_1", "method:1")),
        gateway.delete_billing_key(BillingKeyDeletion("cus_1|pm_1", "delete:1")),
        gateway.open_window(window_of("op_1")),
        gateway.close_account(AccountClosing("pi_1", "op_1", "close:1", "abandoned")),
    ):
        check(talk(question))


@EXAMPLES
@given(said=spoken())
def test_whatever_answers_for_the_books_is_books_or_nothing(talk, speaker, said):
    speaker.said = said
    now = datetime.now(UTC)
    try:
        rows = talk(talk.gateway.list_transactions(now, now))
    except GatewayAway:
        return
    assert all(isinstance(row.amount, Money) for row in rows)


@EXAMPLES
@given(minor=st.integers(-(2**70), 2**70), currency=st.text(max_size=4))
def test_another_amount_or_currency_is_never_a_plain_success(talk, speaker, minor, currency):
    assume((minor, currency.upper()) != (WON.minor, WON.currency))
    body = {
        "id": "pi_1", "status": "succeeded", "metadata": {"order_id": "op_1"},
        "amount": minor, "amount_received": minor, "currency": currency,
    }  # fmt: skip
    speaker.said = b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(body).encode()
    answer = talk(talk.gateway.inquire(Inquiry("op_1", "pi_1", Flow.BILLING)))
    check(answer)
    assert judged(answer, Ask.INQUIRE) in (AttemptStatus.UNKNOWN, AttemptStatus.NEEDS_HUMAN)
