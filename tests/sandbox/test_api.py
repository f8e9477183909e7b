"""Keys, routes, idempotency keys and test codes."""

import base64
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.sandbox.conftest import Sandbox, Shop


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("", 401, "UNAUTHORIZED_KEY"),
        ("Bearer test_sk_x", 401, "UNAUTHORIZED_KEY"),
        (basic("test_sk_x"), 403, "INCORRECT_BASIC_AUTH_FORMAT"),
        ("Basic ???", 403, "INCORRECT_BASIC_AUTH_FORMAT"),
        (basic("test_ck_x:"), 400, "INVALID_API_KEY"),
        (basic("live_sk_x:"), 400, "INVALID_API_KEY"),
        (basic("sk_x:"), 401, "UNAUTHORIZED_KEY"),
        (basic("test_gsk_x:"), 404, "NOT_FOUND_PAYMENT"),
    ],
)
def test_only_test_secret_keys_open_the_door(
    sandbox: Sandbox, authorization: str, status: int, code: str
) -> None:
    answer = httpx2.get(
        f"{sandbox.url}/v1/payments/nothing", headers={"Authorization": authorization}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_key_is_another_merchant(sandbox: Sandbox, shop: Shop) -> None:
    payment = shop.paid("merchant-1")
    other = Shop(sandbox)
    assert other.get(f"payments/{payment['paymentKey']}").status_code == 404
    assert other.get("payments/orders/merchant-1").status_code == 404
    assert other.paid("merchant-1")["mId"] != payment["mId"]


def test_every_answer_has_a_trace_id_of_its_own(shop: Shop) -> None:
    answers = [shop.get("payments/nothing"), shop.get("payments/nothing")]
    traces = {answer.headers["x-tosspayments-trace-id"] for answer in answers}
    assert len(traces) == 2
    assert all(len(trace) == 32 for trace in traces)


def test_an_unknown_address_or_method_is_the_vendors_404(shop: Shop) -> None:
    for method, path in (("GET", "/v1/nothing"), ("PUT", "/v1/payments/confirm"), ("GET", "/")):
        answer = shop.client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND_HTTP_METHOD")


def test_the_same_idempotency_key_replays_the_first_answer(shop: Shop) -> None:
    key = shop.billing_key()
    first = shop.charge(key, "idem-0001", idempotency_key="pay:1")
    again = shop.charge(key, "idem-0001", idempotency_key="pay:1")
    assert (again.status_code, again.content) == (200, first.content)
    assert shop.charge(key, "idem-0001").json()["code"] == "DUPLICATED_ORDER_ID"


def test_the_first_answer_is_replayed_even_after_the_payment_changed(shop: Shop) -> None:
    first = shop.charge(shop.billing_key(), "idem-0002", idempotency_key="pay:2")
    shop.post(f"payments/{first.json()['paymentKey']}/cancel", {"cancelReason": "변심"})
    path = first.request.url.path.removeprefix("/v1/")
    again = shop.client.post(
        f"/v1/{path}",
        content=first.request.content,
        headers={"Idempotency-Key": "pay:2", "Content-Type": "application/json"},
    )
    assert again.content == first.content


def test_error_answers_are_replayed_too(shop: Shop) -> None:
    key = shop.billing_key()
    shop.sandbox.control("POST", f"cards/{key}", {"state": "insufficient_funds"})
    first = shop.charge(key, "idem-0003", idempotency_key="pay:3")
    shop.sandbox.control("POST", f"cards/{key}", {"state": "ok"})
    again = shop.charge(key, "idem-0003", idempotency_key="pay:3")
    assert first.json()["code"] == "REJECT_CARD_PAYMENT"
    assert (again.status_code, again.content) == (403, first.content)
    assert shop.charge(key, "idem-0003", idempotency_key="pay:3b").status_code == 200


def test_a_key_is_bound_to_its_path_and_merchant(sandbox: Sandbox, shop: Shop) -> None:
    first, second = shop.paid("idem-path-1"), shop.paid("idem-path-2")
    for payment in (first, second):
        answer = shop.post(
            f"payments/{payment['paymentKey']}/cancel",
            {"cancelReason": "변심"},
            idempotency_key="refund:same",
        )
        assert answer.json()["paymentKey"] == payment["paymentKey"]
    other = Shop(sandbox)
    assert other.charge(other.billing_key(), "idem-0004", idempotency_key="k").status_code == 200


def test_another_body_under_the_same_key_is_refused(shop: Shop) -> None:
    key = shop.billing_key()
    shop.charge(key, "idem-0005", amount=1000, idempotency_key="pay:5")
    answer = shop.charge(key, "idem-0005", amount=2000, idempotency_key="pay:5")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_IDEMPOTENCY_KEY")


def test_a_key_still_in_flight_is_a_conflict(shop: Shop) -> None:
    key = shop.billing_key()
    shop.sandbox.control("PUT", "faults", {"latency_ms": {"fixed": 150}})
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: shop.charge(key, "idem-0006", idempotency_key="pay:6"), range(4))
        )
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, 409, 409, 409]
    busy = next(answer for answer in answers if answer.status_code == 409)
    assert busy.json()["code"] == "IDEMPOTENT_REQUEST_PROCESSING"
    assert shop.charge(key, "idem-0006", idempotency_key="pay:6").status_code == 200


def test_an_idempotency_key_has_at_most_300_characters(shop: Shop) -> None:
    key = shop.billing_key()
    answer = shop.charge(key, "idem-0007", idempotency_key="k" * 301)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_IDEMPOTENCY_KEY")
    assert shop.charge(key, "idem-0007", idempotency_key="k" * 300).status_code == 200


def test_a_key_is_forgotten_after_fifteen_days(shop: Shop) -> None:
    key = shop.billing_key()
    shop.charge(key, "idem-0008", idempotency_key="pay:8")
    shop.sandbox.control("PUT", "clock", {"offset_s": 14.9 * 86_400})
    assert shop.charge(key, "idem-0008", idempotency_key="pay:8").status_code == 200
    shop.sandbox.control("PUT", "clock", {"offset_s": 15.1 * 86_400})
    answer = shop.charge(key, "idem-0008", idempotency_key="pay:8")
    assert answer.json()["code"] == "DUPLICATED_ORDER_ID"


def test_a_deletion_can_be_repeated_under_its_key(shop: Shop) -> None:
    key = shop.billing_key()
    for _ in range(2):
        answer = shop.delete(f"billing/{key}", idempotency_key="delete:1")
        assert (answer.status_code, answer.content) == (200, b"")
    assert shop.delete(f"billing/{key}").json()["code"] == "ALREADY_REMOVED_BILLING_KEY"


def test_an_idempotency_key_is_ignored_on_get(shop: Shop) -> None:
    headers = {"Idempotency-Key": "read:1"}
    assert shop.client.get("/v1/payments/orders/idem-0009", headers=headers).status_code == 404
    shop.paid("idem-0009")
    assert shop.client.get("/v1/payments/orders/idem-0009", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("code", "status"),
    [("REJECT_CARD_COMPANY", 403), ("PROVIDER_ERROR", 400), ("FAILED_DB_PROCESSING", 500)],
)
def test_a_test_code_answers_before_anything_happens(shop: Shop, code: str, status: int) -> None:
    key = shop.billing_key()
    answer = shop.charge(
        key, "test-code-1", tosspayments_test_code=code, idempotency_key=f"pay:{code}"
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert shop.get("payments/orders/test-code-1").status_code == 404
    retried = shop.charge(key, "test-code-1", idempotency_key=f"pay:{code}")
    assert retried.status_code == 200


def test_a_test_code_needs_no_real_payment_key(shop: Shop) -> None:
    answer = shop.post(
        "payments/no-such-key/cancel", tosspayments_test_code="ALREADY_CANCELED_PAYMENT"
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "ALREADY_CANCELED_PAYMENT")


def test_an_unknown_test_code_says_so(shop: Shop) -> None:
    answer = shop.post("payments/confirm", tosspayments_test_code="NO_SUCH_CODE")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_TEST_CODE")
