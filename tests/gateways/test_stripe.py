"""What the adapter sends, and what it is to the installation that has it."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

from opsapp.gateways import registry
from opsapp.gateways.stripe import StripeGateway
from opsapp.gateways.stripe_forms import flat
from opsapp.gateways.stripe_methods import understand_method
from opsapp.gateways.stripe_objects import understand_charge, understand_inquiry
from opsapp.gateways.values import ChargeBody, Flow, Inquiry, Outcome
from opsapp.kernel.money import EXPONENTS, Money
from tests.conformance.stripe_cases import stripe_at
from tests.fakes.stripe import nested

BODY = ChargeBody(
    Flow.BILLING, "card", "op_1", "구독 " * 300, Money(1999, "USD"), "customer-key", "김래원"
)


ASKED = Inquiry("op_1", "pi_1", Flow.BILLING)


@pytest.fixture(scope="module")
def gateway():
    return stripe_at("http://127.0.0.1:9")


def card(**more):
    fields = {"brand": "visa", "last4": "4242", "exp_month": 2, "exp_year": 2028} | more
    return {"id": "pm_1", "type": "card", "customer": "cus_1", "card": fields}


def test_the_stored_bytes_name_no_person_and_no_card_and_are_the_same_each_time(gateway):
    first = gateway.charge_body(BODY)
    assert first == gateway.charge_body(BODY)
    for private in ("김래원", "customer-key", "pm_", "cus_"):
        assert private not in first.decode()


def test_the_amount_is_in_minor_units_of_a_currency_in_small_letters(gateway):
    create = json.loads(gateway.charge_body(BODY))["create"]
    assert (create["amount"], create["currency"]) == (1999, "usd")
    assert create["metadata"]["order_id"] == "op_1"
    assert len(create["metadata"]["title"]) == 500


def test_nobody_is_there_when_a_stored_card_is_charged(gateway):
    steps = json.loads(gateway.charge_body(BODY))
    assert steps["confirm"] == {"off_session": True}
    assert "off_session" not in steps["create"]


names = st.text("abcdefghijklmnop_", min_size=1, max_size=6)
values = st.integers().map(str) | st.text("가나다 &=+%[]", max_size=6)
trees = st.recursive(values, lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3))


@given(st.dictionaries(names, trees, max_size=4))
def test_a_form_comes_apart_into_what_was_put_into_it(tree):
    assert nested(urlencode(flat(tree))) == tree


def test_lists_and_truth_are_written_as_the_vendor_reads_them():
    assert flat({"expand": ["a", "b"], "off_session": True, "n": 1}) == [
        ("expand[0]", "a"),
        ("expand[1]", "b"),
        ("off_session", "true"),
        ("n", "1"),
    ]


@pytest.mark.parametrize(
    ("year", "month", "last"),
    [(2028, 2, "2028-02-29"), (2027, 2, "2027-02-28"), (2030, 12, "2030-12-31")],
)
def test_a_card_is_good_until_the_last_day_of_its_month(year, month, last):
    answer = understand_method(card(exp_year=year, exp_month=month), "cus_1", None)
    assert answer.billing_key.expires_on.isoformat() == last


@pytest.mark.parametrize(
    "more", [{"exp_month": 13}, {"exp_year": "2030"}, {"exp_month": True}, {"exp_year": 30}]
)
def test_an_expiry_that_cannot_be_read_is_no_expiry_and_no_obstacle(more):
    key = understand_method(card(**more), "cus_1", None).billing_key
    assert (key.billing_key, key.expires_on) == ("cus_1|pm_1", None)


def intent(**more):
    fields = {"id": "pi_1", "status": "succeeded", "metadata": {"order_id": "op_1"}}
    return fields | {"amount": 1999, "currency": "usd", "latest_charge": None} | more


def test_an_intent_is_approved_for_what_was_received_and_not_for_what_was_asked():
    answer = understand_inquiry(intent(amount_received=1500), ASKED, None)
    assert (answer.outcome, answer.amount) == (Outcome.APPROVED, Money(1500, "USD"))


@pytest.mark.parametrize("minor", [-1, True, 1999.0, "1999", None, [], 2**63])
def test_money_that_is_no_whole_units_is_uncertain(minor):
    for more in ({"amount_received": minor}, {"latest_charge": refunded(minor)}):
        answer = understand_inquiry(intent(**more), ASKED, None)
        assert (answer.outcome, answer.code, answer.amount) == (Outcome.UNKNOWN, None, None)


@pytest.mark.parametrize("status", ["canceled", "requires_payment_method", "requires_confirmation"])
def test_money_that_came_in_on_an_unfinished_payment_is_uncertain(status):
    error = {"type": "card_error", "code": "card_declined"}
    told = intent(status=status, last_payment_error=error)
    assert understand_inquiry(told | {"amount_received": 1}, ASKED, None).outcome is Outcome.UNKNOWN
    assert understand_inquiry(told, ASKED, None).outcome is not Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("fraudulent", "fraudulent"),
        ("requested_by_customer", "payment_method_customer_decline"),
        ("abandoned", "authentication_required"),
        (None, "authentication_required"),
        ([], "authentication_required"),
    ],
)
def test_a_cancelled_intent_is_declined_for_the_reason_of_its_cancel(reason, code):
    answer = understand_inquiry(intent(status="canceled", cancellation_reason=reason), ASKED, None)
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, code)


@pytest.mark.parametrize("more", [{"status": "pending"}, {"status": "failed"}, {"captured": False}])
def test_a_charge_that_brought_no_money_is_not_in_the_books(more):
    row = {"id": "ch_1", "amount": 1999, "currency": "usd", "created": 1, "captured": True}
    row |= {"status": "succeeded", "payment_intent": intent()}
    assert understand_charge(row).amount == Money(1999, "USD")
    assert understand_charge(row | more) is None


def refunded(minor):
    return {"id": "ch_1", "currency": "usd", "amount_refunded": minor}


def test_stripe_is_there_when_its_key_is(settings):
    assert "stripe" not in {each.name for each in registry.gateways_of(settings)}
    with_key = settings.model_copy(
        update={"stripe_secret_key": type(settings.stripe_secret_key)("sk_test_1")}
    )
    assert "stripe" in {each.name for each in registry.gateways_of(with_key)}


def test_every_currency_that_is_taken_has_a_least_amount():
    told = StripeGateway.capabilities
    assert told.currencies == EXPONENTS.keys()
    assert {currency for _, currency in told.minimum_minor} == told.currencies
