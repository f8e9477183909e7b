"""What can go wrong on the way to a gateway, made to go wrong: no charge is lost or doubled."""

import socket
from contextlib import contextmanager

import pytest

from opsapp.gateways import failures, http
from opsapp.gateways.http import Limits
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import Outcome
from opsapp.payments import rules
from opsapp.payments.rules import Ask, Question
from opsapp.payments.states import AttemptStatus
from tests.conformance.stripe_cases import WON, charge_of, stripe_at, talking
from tests.fakes.stripe import Fault, running

ROWS = {row.code: row for row in failures.read_seed() if row.source == "transport"}
SHORT = Limits(timeout_s=0.3, inquiry_timeout_s=0.3, abreast_max=4, rate_per_s_max=0)
NEVER_LEFT = {"CONNECT_REFUSED", "DNS_FAILURE", "CONNECT_TIMEOUT", "TLS_FAILURE"}
ON_THE_WAY = {
    "READ_TIMEOUT": Fault(".", "slow", seconds=0.6),
    "CONNECTION_RESET": Fault(".", "lost_before"),
    "HTTP_5XX_NO_CODE": Fault(".", "answer", status=502, body="<html>Bad gateway"),
    "MALFORMED_RESPONSE": Fault(".", "answer", status=200, body='{"status": "succ'),
    "UNKNOWN_CODE": Fault(
        ".", "answer", status=400, body='{"error": {"code": "BRAND_NEW"}, "code": "BRAND_NEW"}'
    ),
}


@pytest.fixture(scope="module")
def double():
    with running() as started:
        yield started


@contextmanager
def full_backlog():
    """A port that takes no more connections and refuses none."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(server.getsockname())
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            for each in waiting:
                each.close()


@contextmanager
def closed_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def place(code, double):
    """The address at which the fault happens."""
    match code:
        case "CONNECT_REFUSED":
            with closed_port() as url:
                yield url
        case "CONNECT_TIMEOUT":
            with full_backlog() as url:
                yield url
        case "DNS_FAILURE":
            yield "http://gateway.invalid"
        case "TLS_FAILURE":
            yield double.url.replace("http:", "https:")
        case _:
            fault = ON_THE_WAY[code]
            double.faults[:] = [Fault(**vars(fault))]
            yield double.url


def toss_at(url, limits):
    return TossGateway(url=url, secret_key="test_sk_1", limits=limits)


def stripe_over(url, limits):
    return stripe_at(url, limits=limits)


def charged(gateway, order):
    request = charge_of(gateway, order, "cus_1|pm_1")
    with talking(gateway) as talk:
        return talk(gateway.charge(request))


def test_the_cases_are_all_there_are():
    assert NEVER_LEFT | ON_THE_WAY.keys() == ROWS.keys()


@pytest.mark.parametrize("make", [stripe_over, toss_at], ids=["stripe", "toss"])
@pytest.mark.parametrize("code", sorted(ROWS))
def test_a_fault_on_the_way_has_its_class_and_is_no_decline(double, monkeypatch, make, code):
    monkeypatch.setattr(http, "CONNECT_TIMEOUT_S", 0.2)
    with place(code, double) as url:
        answer = charged(make(url, SHORT), f"op_{code}_{make.__name__}")
    outcome = Outcome.NOT_SENT if code in NEVER_LEFT else Outcome.UNKNOWN
    assert answer.outcome is outcome
    if make is stripe_over or code in NEVER_LEFT | {"READ_TIMEOUT", "CONNECTION_RESET"}:
        assert answer.failure_class == ROWS[code].failure_class
        assert answer.retry_mode == ROWS[code].retry_mode
    if make is stripe_over:
        is_said = code == "UNKNOWN_CODE"
        assert answer.code == ("BRAND_NEW" if is_said else None), "what nobody said is no code"
        assert is_said or answer.because.endswith(f"({code})")


@pytest.mark.parametrize("code", sorted(ROWS))
def test_a_fault_on_the_way_leaves_the_attempt_open(double, monkeypatch, code):
    monkeypatch.setattr(http, "CONNECT_TIMEOUT_S", 0.2)
    with place(code, double) as url:
        answer = charged(stripe_over(url, SHORT), f"op_{code}_judged")
    question = Question(Ask.SEND, AttemptStatus.READY, False, True, WON, 1)
    verdict = rules.judge(answer, question)
    open_as = AttemptStatus.READY if code in NEVER_LEFT else AttemptStatus.UNKNOWN
    assert (verdict.status, verdict.took_no_turn) == (open_as, code in NEVER_LEFT)


def test_an_answer_without_end_is_cut_off(double, monkeypatch):
    monkeypatch.setattr(http, "REPLY_BYTES_MAX", 1000)
    double.faults[:] = [Fault(".", "answer", status=200, body="x" * 100_000)]
    answer = charged(stripe_over(double.url, SHORT), "op_long")
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, None)
    assert "MALFORMED_RESPONSE" in answer.because
