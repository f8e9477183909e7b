"""Every code of the vendor reaches its class, retry mode and outcome through the adapter."""

import json

import pytest
import stripe

from opsapp.gateways import failures
from opsapp.gateways.failures import Failure
from opsapp.gateways.values import FailureClass, Outcome
from opsapp.payments import rules
from opsapp.payments.rules import Ask, Question
from opsapp.payments.states import AttemptStatus
from tests.conformance.stripe_cases import WON, stripe_at, talking
from tests.fakes.stripe import Fault, running

ROWS = {
    source: [row for row in failures.read_seed() if row.source == source]
    for source in ("stripe_decline", "stripe_error", "stripe_exception")
}
STATUSES = {
    "APIError": 500,
    "RateLimitError": 429,
    "AuthenticationError": 401,
    "PermissionError": 403,
    "InvalidRequestError": 400,
    "IdempotencyError": 400,
    "CardError": 402,
}


@pytest.fixture(scope="module")
def double():
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def talk(double):
    with talking(stripe_at(double.url)) as connected:
        yield connected


def wanted(row: Failure) -> Outcome:
    """What the dictionary's words mean for a request that has just been sent."""
    if row.failure_class == FailureClass.CONFIGURATION:
        return Outcome.MISCONFIGURED
    if row.outcome == "not_charged":
        is_theirs = row.failure_class == FailureClass.GATEWAY
        return Outcome.NOT_SENT if is_theirs else Outcome.DECLINED
    return {"query": Outcome.CONFLICT, "unknown": Outcome.UNKNOWN}[row.outcome]


def check(answer, row: Failure, outcome: Outcome) -> None:
    assert (answer.code, answer.failure_class, answer.retry_mode, answer.outcome) == (
        row.code,
        row.failure_class,
        row.retry_mode,
        outcome,
    )
    assert answer.unmapped_source is None


def names(rows: list[Failure]) -> list[str]:
    return [row.code for row in rows]


def test_the_dictionary_holds_all_codes_of_the_vendor():
    assert [len(rows) for rows in ROWS.values()] == [51, 67, 8]


@pytest.mark.parametrize("row", ROWS["stripe_decline"], ids=names(ROWS["stripe_decline"]))
def test_a_reason_of_the_issuer_decides_over_the_code_around_it(talk, double, row):
    """First as the answer to the charge, then as what the intent keeps."""
    error = {"code": "card_declined", "decline_code": row.code}
    answer, found = declined(talk, double, f"d_{row.code}", error)
    check(answer, row, wanted(row))
    check(found, row, Outcome.DECLINED)


@pytest.mark.parametrize("row", ROWS["stripe_error"], ids=names(ROWS["stripe_error"]))
def test_an_error_code_decides_where_the_issuer_gives_no_reason(talk, double, row):
    answer, found = declined(talk, double, f"e_{row.code}", {"code": row.code})
    check(answer, row, wanted(row))
    check(found, row, Outcome.DECLINED)


@pytest.mark.parametrize("code", names(ROWS["stripe_decline"]))
def test_a_reason_that_comes_as_the_error_code_is_known_too(talk, double, code):
    answer, _ = declined(talk, double, f"c_{code}", {"code": code})
    assert (answer.code, answer.unmapped_source) == (code, None)


@pytest.mark.parametrize("row", ROWS["stripe_exception"], ids=names(ROWS["stripe_exception"]))
def test_the_exception_of_the_sdk_decides_where_no_code_is_named(talk, double, row):
    order = f"x_{row.code}"
    if row.code == "APIConnectionError":
        fault = Fault("/confirm", "lost_before")
    else:
        kind = "idempotency_error" if row.code == "IdempotencyError" else "api_error"
        body = json.dumps({"error": {"type": kind}})
        fault = Fault("/confirm", "answer", status=STATUSES[row.code], body=body)
    double.faults.append(fault)
    answer, _ = talk.charge(order, billing_key(talk, double))
    if row.code == "APIConnectionError":
        meaning = (answer.failure_class, answer.retry_mode, answer.outcome)
        assert meaning == (row.failure_class, row.retry_mode, Outcome.UNKNOWN)
    else:
        check(answer, row, wanted(row))


@pytest.mark.parametrize("kind", ["card_error", "invalid_request_error", "idempotency_error", "?"])
def test_the_exception_is_the_one_that_the_sdk_raises(talk, double, kind):
    sdk = stripe.StripeClient(
        "sk_test_1", base_addresses={"api": double.url}, max_network_retries=0
    )
    for status in (400, 401, 402, 403, 404, 409, 418, 429, 500, 502, 503):
        body = json.dumps({"error": {"type": kind, "message": "no code"}})
        double.faults += [Fault(".", "answer", times=2, status=status, body=body)]
        with pytest.raises(stripe.StripeError) as raised:
            sdk.v1.payment_intents.retrieve("pi_1")
        answer, _ = talk.charge(f"s_{kind}_{status}", "cus_1|pm_1")
        assert answer.code == type(raised.value).__name__


@pytest.mark.parametrize("code", ["rate_limit", "payment_intent_rate_limit_exceeded"])
def test_too_many_requests_are_as_if_never_sent(talk, double, code):
    body = json.dumps({"error": {"type": "invalid_request_error", "code": code}})
    double.faults.append(Fault("/confirm", "answer", status=429, body=body))
    answer, _ = talk.charge(f"r_{code}", billing_key(talk, double))
    question = Question(Ask.SEND, AttemptStatus.READY, False, True, WON, 1)
    verdict = rules.judge(answer, question)
    assert (verdict.status, verdict.took_no_turn) == (AttemptStatus.READY, True)


def test_a_block_by_the_vendors_own_rules_is_a_suspicion_of_fraud(talk, double):
    error = {"code": "card_declined", "decline_code": "generic_decline"}
    card = billing_key(talk, double, error=error)
    _, request = talk.charge("o_1", card)
    charge = double.objects[double.objects[request.gateway_key]["latest_charge"]]
    charge["outcome"] = {"type": "blocked", "reason": "highest_risk_level"}
    found = talk.inquire("o_1", request.gateway_key)
    assert (found.outcome, found.code) == (Outcome.DECLINED, "highest_risk_level")
    assert found.failure_class == FailureClass.FRAUD


def declined(talk, double, order, error):
    """The answer to a charge that meets the error, and to an inquiry after it."""
    answer, request = talk.charge(order, billing_key(talk, double, error=error))
    return answer, talk.inquire(order, request.gateway_key)


def billing_key(talk, double, **metadata):
    """A card that stands with a customer, as if registered long ago."""
    return f"{double.add_customer()}|{double.add_method(metadata=metadata)}"
