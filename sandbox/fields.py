"""Reading and checking request fields, with the vendor's limits and error codes.

Limits: orderId 6-64 of letters, digits, `-`, `_`; orderName at most 100; customerKey 2-300 of
letters, digits, `-_=.@`; metadata at most 5 pairs of 40/2000; amounts whole, card at least 100
KRW, account at least 200 KRW (docs.tosspayments.com, error tables and API reference).
"""

import re
from typing import Any, Final

from sandbox.errors import Refused

Json = dict[str, Any]

_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_-]{6,64}")
_CUSTOMER_KEY: Final = re.compile(r"[A-Za-z0-9_=.@-]{2,300}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,64}")
_GREATEST_AMOUNT: Final = 10**12


def order_id(body: Json) -> str:
    value = _required(body, "orderId")
    if not isinstance(value, str) or not _ORDER_ID.fullmatch(value):
        raise Refused("INVALID_ORDER_ID")
    return value


def order_name(body: Json) -> str:
    value = _required(body, "orderName")
    if not isinstance(value, str) or not 1 <= len(value) <= 100:
        raise Refused("INVALID_ORDER_NAME")
    return value


def customer_key(body: Json) -> str:
    value = _required(body, "customerKey")
    if not isinstance(value, str) or not _CUSTOMER_KEY.fullmatch(value):
        raise Refused("INVALID_CUSTOMER_KEY")
    return value


def amount(body: Json, *, least: int = 1) -> int:
    """The amount to be paid in whole won."""
    if body.get("amount") is None:
        raise Refused("REQUIRED_AMOUNT")
    value = whole(body["amount"], "amount")
    if value <= 0:
        raise Refused("BELOW_ZERO_AMOUNT")
    if value < least:
        raise Refused("BELOW_MINIMUM_AMOUNT")
    if value > _GREATEST_AMOUNT:
        raise Refused("EXCEED_MAX_AMOUNT")
    return value


def part_of_amount(body: Json, name: str, total: int) -> int:
    """taxFreeAmount or taxExemptionAmount: between 0 and the whole amount, 0 if absent."""
    value = whole(body.get(name) or 0, name)
    if not 0 <= value <= total:
        raise Refused("INVALID_REQUEST", f"`{name}`은(는) 0 이상 결제 금액 이하여야 합니다.")
    return value


def whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused("INVALID_REQUEST", f"`{name}`은(는) 정수여야 합니다.")
    return value


def text(body: Json, name: str, *, most: int, least: int = 1) -> str:
    value = _required(body, name)
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise Refused("INVALID_REQUEST", f"`{name}`은(는) {least}자 이상 {most}자 이하여야 합니다.")
    return value


def optional_text(body: Json, name: str, *, most: int) -> str | None:
    if body.get(name) is None:
        return None
    return text(body, name, most=most, least=0)


def check_contact(body: Json) -> None:
    """customerEmail and customerName, where given."""
    email = optional_text(body, "customerEmail", most=100)
    if email and not _EMAIL.fullmatch(email):
        raise Refused("INVALID_EMAIL")
    optional_text(body, "customerName", most=100)


def currency(body: Json) -> str:
    value = body.get("currency") or "KRW"
    if value != "KRW":
        raise Refused("INVALID_CURRENCY")
    return "KRW"


def metadata(body: Json) -> Json | None:
    value = body.get("metadata")
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > 5:
        raise Refused("INVALID_REQUEST", "`metadata`는 최대 5개의 키-값 쌍이어야 합니다.")
    for key, item in value.items():
        if len(key) > 40 or not isinstance(item, str) or len(item) > 2000:
            raise Refused("INVALID_REQUEST", "`metadata`의 키는 40자, 값은 2000자 이하여야 합니다.")
    return value


def _required(body: Json, name: str) -> Any:
    value = body.get(name)
    if value is None:
        raise Refused("INVALID_REQUIRED_PARAM", f"필수 파라미터 `{name}`이(가) 누락되었습니다.")
    return value
