"""Cards that stand with a customer at Stripe: PaymentMethod, SetupIntent, Customer."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from opsapp.gateways import failures
from opsapp.gateways.http import fault
from opsapp.gateways.stripe_reading import (
    ERROR,
    as_word,
    carefully,
    customer_of,
    failure_names,
    id_of,
    last4_of,
    part,
    settled,
    word_of,
)
from opsapp.gateways.values import Answer, BillingKey, Outcome


@dataclass(frozen=True, slots=True)
class Registration:
    """A card, and the customer that it stands with already."""

    method: str
    customer: str | None


def read_setup(setup: Any, trace_id: str | None) -> Registration | Answer:
    """A SetupIntent: the card is good once the customer has been through all of it."""

    def read() -> Registration | Answer:
        match setup["status"]:
            case "succeeded":
                return Registration(id_of(setup["payment_method"]), customer_of(setup))
            case "canceled":
                named = [(ERROR, "setup_intent_setup_attempt_expired")]
            case "requires_payment_method":
                named = failure_names(part(setup, "last_setup_error"))
            case _:
                named = []
        if not named:
            because, code = "the card is not registered yet", word_of(setup["status"])
            return Answer(Outcome.UNKNOWN, because, code=code, trace_id=trace_id)
        return settled(failures.classify(named, trace_id=trace_id))

    return carefully("SetupIntent", read, trace_id)


def read_method(method: Any, trace_id: str | None) -> Registration | Answer:
    def read() -> Registration:
        return Registration(word_of(method["id"]), customer_of(method))

    return carefully("PaymentMethod", read, trace_id)


def read_customer(customer: Any, trace_id: str | None) -> str | Answer:
    return carefully("Customer", lambda: word_of(customer["id"]), trace_id)


def is_customer_of(customer: Any, customer_key: str) -> bool:
    is_gone = bool(part(customer, "deleted"))
    return part(customer, "metadata", "customer_key") == customer_key and not is_gone


def foreign_method(trace_id: str | None) -> Answer:
    return failures.classify([(ERROR, "payment_method_unexpected_state")], trace_id=trace_id)


def understand_method(method: Any, customer: str, trace_id: str | None) -> Answer:
    """A card that stands with the customer: both names together are the billing key."""

    def understood() -> Answer:
        if method["type"] != "card":
            return failures.classify(
                [(ERROR, "payment_method_unsupported_type")], trace_id=trace_id
            )
        if customer_of(method) != customer:
            return Answer(Outcome.UNKNOWN, "the card was not attached", trace_id=trace_id)
        card = method["card"]
        return Answer(
            Outcome.APPROVED,
            "billing key issued",
            billing_key=BillingKey(
                billing_key=f"{customer}|{word_of(method['id'])}",
                label=as_word(part(card, "brand")) or "card",
                first6=None,
                last4=last4_of(card),
                expires_on=_last_day(part(card, "exp_year"), part(card, "exp_month")),
            ),
            trace_id=trace_id,
        )

    return carefully("PaymentMethod", understood, trace_id)


def understand_detached(method: Any, trace_id: str | None) -> Answer:
    if is_detached(method):
        return Answer(Outcome.APPROVED, "the billing key was deleted", trace_id=trace_id)
    return fault("MALFORMED_RESPONSE", "not detached", trace_id=trace_id)


def is_detached(method: Any) -> bool:
    return isinstance(method, Mapping) and method.get("customer", "") is None


def _last_day(year: Any, month: Any) -> date | None:
    if type(year) is not int or type(month) is not int:
        return None
    if not (2000 <= year <= 2199 and 1 <= month <= 12):
        return None
    return date(year, month, monthrange(year, month)[1])
