"""Every code of PortOne and of KCP behind it, over HTTP, through the adapter, to its meaning."""

import pytest

from opsapp.gateways import failures
from opsapp.gateways.values import Outcome
from tests.conformance.portone import (
    CUSTOMER,
    desk,
    portone_url as portone_url,
)

SEED = {
    source: [failure for failure in failures.read_seed() if failure.source == source]
    for source in ("portone", "portone_pg_kcp")
}


@pytest.fixture(scope="module")
def till(portone_url):
    """One merchant, one connection, one card for all codes."""
    with desk(portone_url, "secret-of-the-codes") as ready:
        ready.card = ready.controls.billing_key(CUSTOMER)
        yield ready


def named(failure):
    return failure.code


def meant(failure):
    """The outcome that the table's own columns ask for."""
    if failure.failure_class == "configuration_error":
        return Outcome.MISCONFIGURED
    return {"not_charged": Outcome.DECLINED, "query": Outcome.CONFLICT}.get(
        failure.outcome, Outcome.UNKNOWN
    )


def as_told(answer):
    return answer.outcome, answer.code, answer.failure_class, answer.retry_mode


def test_all_codes_of_the_table_are_here():
    assert (len(SEED["portone"]), len(SEED["portone_pg_kcp"])) == (43, 58)


@pytest.mark.parametrize("failure", SEED["portone"], ids=named)
def test_a_code_of_portone_reaches_its_meaning(till, failure):
    body = {"type": failure.code, "message": "설명"}
    till.controls.fault(does="answer", status=418, body=body, is_before=True, times=1)
    answer = till.charge(till.request(billing_key=till.card))
    wanted = (meant(failure), failure.code, failure.failure_class, failure.retry_mode)
    assert (as_told(answer), answer.unmapped_source) == (wanted, None)


@pytest.mark.parametrize("failure", SEED["portone_pg_kcp"], ids=named)
def test_a_code_of_kcp_reaches_its_meaning_at_the_charge_and_in_the_failed_payment(till, failure):
    till.controls.decline(till.card, failure.code)
    request = till.request(billing_key=till.card)
    answer = till.charge(request)
    meaning = (failure.code, failure.failure_class, failure.retry_mode)
    assert as_told(answer) == (meant(failure), *meaning)
    # A payment that has failed took no money; only a conflict is looked at further.
    is_conflict = meant(failure) is Outcome.CONFLICT
    found = Outcome.CONFLICT if is_conflict else Outcome.DECLINED
    assert as_told(till.inquire(request)) == (found, *meaning)


def test_a_code_of_kcp_is_not_read_as_one_of_a_channel_without_a_table(portone_url):
    channels = "card=channel-card@NICE_V2"
    with desk(portone_url, "secret-without-table", channels=channels) as other:
        card = other.controls.billing_key(CUSTOMER, "CC10")
        answer = other.charge(other.request(billing_key=card))
        assert (answer.outcome, answer.unmapped_source) == (Outcome.UNKNOWN, "portone_pg_nice_v2")
