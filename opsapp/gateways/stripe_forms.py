"""What is sent to Stripe: forms with nested names, in ASCII."""

from collections.abc import Mapping
from typing import Any

METADATA_LENGTH_MAX = 500


def intent_fields(minor: int, currency: str) -> dict[str, Any]:
    return {
        "amount": minor,
        "currency": currency.lower(),
        "payment_method_types": ["card"],
    }


def about(gateway_order_id: str, title: str) -> dict[str, Any]:
    """Metadata comes back with every inquiry: it ties the intent to our order."""
    return {"metadata": {"order_id": gateway_order_id, "title": title[:METADATA_LENGTH_MAX]}}


def flat(fields: Mapping[str, Any], within: str = "") -> list[tuple[str, str]]:
    """Stripe's form encoding: a[b]=1, and lists by position."""
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        place = f"{within}[{name}]" if within else name
        if isinstance(value, list):
            pairs += flat({str(index): each for index, each in enumerate(value)}, place)
        elif isinstance(value, Mapping):
            pairs += flat(value, place)
        else:
            pairs.append((place, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs
