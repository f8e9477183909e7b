"""No body, however strange, is answered with a 500."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from tests.sandbox.conftest import Shop

NAMES = [
    "amount", "orderId", "orderName", "customerKey", "customerEmail", "customerName", "metadata",
    "taxFreeAmount", "taxExemptionAmount", "cardInstallmentPlan", "paymentKey", "cancelReason",
    "cancelAmount", "refundableAmount", "refundReceiveAccount", "bank", "validHours", "dueDate",
    "authKey", "cardNumber", "cardExpirationYear", "cardExpirationMonth", "type", "method",
    "customerIdentityNumber", "walletMoney", "walletPoints", "installmentPlanMonths", "currency",
    "state", "kind", "fails_with", "accountNumber", "depositor",
]  # fmt: skip
SANE: dict[str, object] = {
    "amount": 15_000,
    "orderName": "사과",
    "customerKey": "customer-1",
    "customerName": "홍길동",
    "cancelReason": "변심",
    "bank": "88",
    "authKey": "card.fuzz",
    "type": "소득공제",
    "customerIdentityNumber": "8812120000",
    "cardNumber": "4330123412341234",
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "2026-13-01", "0001-01-01T00:00:00", "9999-12-31T23:59:59"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=4,
)
PATHS = st.sampled_from(
    [
        "/v1/payments/confirm",
        "/v1/payments/{payment}/cancel",
        "/v1/virtual-accounts",
        "/v1/billing/authorizations/issue",
        "/v1/billing/authorizations/card",
        "/v1/billing/{billing}",
        "/v1/cash-receipts",
        "/_sandbox/authentications",
        "/_sandbox/deposits",
        "/_sandbox/cards/{billing}",
    ]
)


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=PATHS,
    number=st.integers(0, 10**9),
    changes=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
)
def test_no_body_is_answered_with_a_500(
    shop: Shop, path: str, number: int, changes: dict[str, Any]
) -> None:
    known = shop.__dict__.setdefault("known", {})
    if not known:
        known |= {"billing": shop.billing_key(), "payment": shop.account("fuzz-0")["paymentKey"]}
    body = SANE | {"orderId": f"fuzz-{number}"} | changes
    answer = shop.client.post(
        path.format(**known),
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code < 500, (path, changes, answer.text)
    if "paymentKey" in answer.text and "authentications" in path:
        confirmed = shop.post("payments/confirm", answer.json())
        assert confirmed.status_code < 500, (changes, confirmed.text)
