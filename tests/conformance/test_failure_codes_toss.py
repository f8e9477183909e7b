"""Every code of Toss Payments means what the dictionary says, through the real adapter."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from opsapp.gateways import failures
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import Answer, ChargeRequest, Flow, Outcome
from opsapp.payments import rules
from tests.conformance.toss import Till, fresh, opened

SEED = failures.read_seed()
API_CODES = [each for each in SEED if each.source == "toss_api"]
SDK_CODES = [each for each in SEED if each.source == "toss_sdk"]
RATE_LIMIT = "HTTP_429"


class Coded(TossGateway):
    """Asks the gateway, as its test mode allows, to answer with a code of our choice."""

    code = ""

    async def _ask(self, *where: Any, headers: Any = None, **how: Any) -> Any:
        headers = {**(headers or {}), "TossPayments-Test-Code": self.code}
        return await super()._ask(*where, headers=headers, **how)


@pytest.fixture(scope="module")
def till(sandbox_url: str) -> Iterator[Till]:
    with opened(sandbox_url, kind=Coded) as till:
        yield till


def answer_with(till: Till, code: str) -> Answer:
    till.gateway.code = code
    request = ChargeRequest(
        flow=Flow.BILLING,
        gateway_order_id=fresh("op"),
        idempotency_key=fresh("pay"),
        body=b"{}",
        billing_key="bk",
        gateway_key=None,
        call_before=math.inf,
    )
    return till.ask(till.gateway.charge(request))


def outcome_of(known: failures.Failure) -> Outcome:
    if known.code == RATE_LIMIT:
        return Outcome.NOT_SENT
    if known.failure_class == "configuration_error":
        return Outcome.MISCONFIGURED
    by_name = {"not_charged": Outcome.DECLINED, "query": Outcome.CONFLICT}
    return by_name.get(known.outcome, Outcome.UNKNOWN)


@pytest.mark.parametrize("known", API_CODES, ids=lambda known: known.code)
def test_a_code_reaches_its_class_retry_mode_and_outcome(
    till: Till, known: failures.Failure
) -> None:
    answer = answer_with(till, known.code)
    assert answer.code == known.code
    assert (answer.failure_class, answer.retry_mode) == (known.failure_class, known.retry_mode)
    assert answer.outcome is outcome_of(known)
    assert answer.unmapped_source is None


@pytest.mark.parametrize("known", SDK_CODES, ids=lambda known: known.code)
def test_a_code_of_the_window_reaches_its_class_retry_mode_and_outcome(
    till: Till, known: failures.Failure
) -> None:
    answer = failures.classify([("toss_sdk", known.code)])
    assert (answer.failure_class, answer.retry_mode) == (known.failure_class, known.retry_mode)
    assert answer.outcome is outcome_of(known)


def test_the_dictionary_holds_every_code_that_the_vendor_names() -> None:
    assert (len(API_CODES), len(SDK_CODES)) == (169, 14)


def test_a_code_that_the_window_and_the_api_share_is_found_in_either() -> None:
    by_api = failures.find(TossGateway.failure_sources, "PAY_PROCESS_CANCELED")
    by_window = failures.find(TossGateway.failure_sources, "USER_CANCEL")
    assert by_api is not None
    assert by_window is not None
    assert by_api.failure_class == by_window.failure_class == "customer_cancelled"


def test_a_code_that_nobody_has_heard_of_is_uncertain_and_goes_to_the_review_list(
    till: Till,
) -> None:
    failures.install([each for each in SEED if each.code != "REJECT_CARD_PAYMENT"])
    try:
        answer = answer_with(till, "REJECT_CARD_PAYMENT")
    finally:
        failures.install(SEED)
    assert answer.outcome is Outcome.UNKNOWN
    assert (answer.code, answer.unmapped_source) == ("REJECT_CARD_PAYMENT", "toss_api")
    assert answer.failure_class == "gateway_error"


@pytest.mark.parametrize("known", API_CODES, ids=lambda known: known.code)
def test_an_inquiry_that_is_refused_decides_nothing(till: Till, known: failures.Failure) -> None:
    till.gateway.code = known.code
    answer = till.inquire("op_order")
    is_absence = known.code in ("NOT_FOUND_PAYMENT", "NOT_FOUND")
    expected = Outcome.NOT_FOUND if is_absence else Outcome.UNKNOWN
    assert answer.outcome is (Outcome.NOT_SENT if known.code == RATE_LIMIT else expected)


def test_only_a_customers_own_failures_are_declines_that_count() -> None:
    counted = {each.failure_class for each in API_CODES} & rules.CUSTOMER_CLASSES
    assert counted == rules.CUSTOMER_CLASSES
    assert "state_conflict" not in counted
