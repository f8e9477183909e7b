"""Explaining: what a gateway's failure code means, in the words a customer may read."""

from opsapp.gateways import failures

# The failure table keeps one set of codes per company's API.
_SOURCES = {"toss": "toss_api"}


def explain(code: str, *, gateway_name: str = "toss", locale: str) -> str:
    """One plain sentence in Korean or English; "" for a code that is not in the table."""
    known = failures.look_up(_SOURCES.get(gateway_name, gateway_name), code)
    if known is None:
        return ""
    return known.hint_ko if locale == "ko" else known.hint_en
