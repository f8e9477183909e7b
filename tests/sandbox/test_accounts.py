"""Virtual accounts: opened, paid, short, late, taken back, refunded."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.conftest import Shop

REFUND_ACCOUNT = {"bank": "88", "accountNumber": "110123456789", "holderName": "홍길동"}


def deposit(shop: Shop, order_id: str, kind: str = "exact", **wish: object) -> Any:
    body = {"orderId": order_id, "kind": kind} | wish
    return shop.client.post("/_sandbox/deposits", json=body).json()


def read(shop: Shop, order_id: str) -> Any:
    return shop.get(f"payments/orders/{order_id}").json()


def cancel(shop: Shop, payment: dict[str, Any], **wish: object) -> Any:
    body = {"cancelReason": "고객 변심"} | wish
    return shop.post(f"payments/{payment['paymentKey']}/cancel", body).json()


def test_an_account_waits_for_its_deposit(shop: Shop) -> None:
    payment = shop.account("account-01")
    account = payment["virtualAccount"]
    assert (payment["status"], payment["method"]) == ("WAITING_FOR_DEPOSIT", "가상계좌")
    assert account["accountNumber"].startswith("X")
    assert "+" not in account["dueDate"]
    assert payment["secret"]
    assert deposit(shop, "account-01")["accepted"] is True
    assert read(shop, "account-01")["status"] == "DONE"


def test_a_window_can_open_an_account_too(shop: Shop) -> None:
    payment = shop.paid("account-02", method="VIRTUAL_ACCOUNT", customerName="홍길동")
    assert payment["status"] == "WAITING_FOR_DEPOSIT"
    number = payment["virtualAccount"]["accountNumber"]
    paid = shop.sandbox.control("POST", "deposits", {"accountNumber": number})
    assert paid["status"] == "DONE"


@pytest.mark.parametrize("kind", ["short", "over"])
def test_only_the_exact_amount_is_accepted(shop: Shop, kind: str) -> None:
    shop.account("account-03")
    answer = deposit(shop, "account-03", kind)
    assert (answer["accepted"], answer["status"]) == (False, "WAITING_FOR_DEPOSIT")
    assert "exact" in answer["reason"]


def test_a_wrong_depositor_is_accepted_and_named(shop: Shop) -> None:
    shop.account("account-04")
    assert deposit(shop, "account-04", "wrong_depositor", depositor="김철수")["accepted"]
    assert read(shop, "account-04")["virtualAccount"]["depositorName"] == "김철수"


def test_an_account_runs_out_without_changing_its_status(shop: Shop) -> None:
    shop.account("account-05", validHours=1)
    shop.sandbox.control("PUT", "clock", {"offset_s": 3601})
    expired = read(shop, "account-05")
    assert (expired["status"], expired["virtualAccount"]["expired"]) == (
        "WAITING_FOR_DEPOSIT",
        True,
    )
    assert deposit(shop, "account-05")["accepted"] is False
    assert deposit(shop, "account-05", "late")["status"] == "DONE"


def test_the_bank_can_take_a_deposit_back(shop: Shop) -> None:
    shop.account("account-06")
    deposit(shop, "account-06")
    deposit(shop, "account-06", "reversed")
    taken_back = read(shop, "account-06")
    assert (taken_back["status"], taken_back["approvedAt"]) == ("WAITING_FOR_DEPOSIT", None)
    assert deposit(shop, "account-06")["status"] == "DONE"


def test_before_the_deposit_only_the_whole_is_cancelled_without_account(shop: Shop) -> None:
    payment = shop.account("account-07")
    refused = cancel(shop, payment, cancelAmount=1000)
    assert refused["code"] == "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT"
    refused = cancel(shop, payment, refundReceiveAccount=REFUND_ACCOUNT)
    assert refused["code"] == "INVALID_REQUEST"
    assert cancel(shop, payment)["status"] == "CANCELED"
    assert deposit(shop, "account-07")["accepted"] is False


def test_after_the_deposit_a_refund_account_is_required(shop: Shop) -> None:
    payment = shop.account("account-08")
    deposit(shop, "account-08")
    assert cancel(shop, payment)["code"] == "INVALID_REFUND_ACCOUNT_INFO"
    for change, code in (
        ({"bank": "99"}, "INVALID_BANK"),
        ({"accountNumber": "1-1"}, "INVALID_REFUND_ACCOUNT_NUMBER"),
        ({"accountNumber": "1" * 21}, "INVALID_REFUND_ACCOUNT_NUMBER"),
        ({"holderName": "x" * 61}, "INVALID_REFUND_ACCOUNT_INFO"),
    ):
        refused = cancel(shop, payment, refundReceiveAccount=REFUND_ACCOUNT | change)
        assert refused["code"] == code
    done = cancel(shop, payment, cancelAmount=5000, refundReceiveAccount=REFUND_ACCOUNT)
    assert (done["status"], done["virtualAccount"]["refundStatus"]) == (
        "PARTIAL_CANCELED",
        "PENDING",
    )


def test_the_refund_arrives_two_days_later(shop: Shop) -> None:
    payment = shop.account("account-09")
    deposit(shop, "account-09")
    cancel(shop, payment, refundReceiveAccount=REFUND_ACCOUNT)
    shop.sandbox.control("PUT", "clock", {"offset_s": 2 * 86_400 + 5})
    assert read(shop, "account-09")["virtualAccount"]["refundStatus"] == "COMPLETED"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"validHours": 2161}, "EXCEED_MAX_VALID_HOURS"),
        ({"validHours": 0}, "INVALID_REQUEST"),
        ({"dueDate": "2020-01-01T00:00:00"}, "INVALID_DATE"),
        ({"dueDate": "soon"}, "INVALID_DATE"),
        (
            {"validHours": 1, "dueDate": "2099-01-01T00:00:00"},
            "INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE",
        ),
        ({"dueDate": "2099-01-01T00:00:00"}, "EXCEED_MAX_DUE_DATE"),
        ({"bank": "없는은행"}, "INVALID_BANK"),
        ({"bank": None}, "INVALID_REQUIRED_PARAM"),
        ({"amount": 199}, "BELOW_MINIMUM_AMOUNT"),
        ({"customerName": None}, "INVALID_REQUIRED_PARAM"),
    ],
)
def test_the_limits_of_an_account(shop: Shop, wish: dict[str, object], code: str) -> None:
    body = {
        "amount": 20_000,
        "orderId": "account-10",
        "orderName": "사과",
        "customerName": "홍길동",
        "bank": "신한",
    }
    answer = shop.post("virtual-accounts", body | wish)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_due_date_of_ninety_days_is_allowed(shop: Shop) -> None:
    now = datetime.fromisoformat(shop.sandbox.control("GET", "health")["now"])
    due = (now + timedelta(days=89)).replace(tzinfo=None).isoformat()
    assert shop.account("account-11", dueDate=due)["virtualAccount"]["dueDate"] == due


def test_deposits_can_come_by_themselves(shop: Shop) -> None:
    profile = {"deposits": {"share": 1, "after_s": 60}}
    shop.sandbox.control("PUT", "faults", profile)
    shop.account("account-12")
    assert read(shop, "account-12")["status"] == "WAITING_FOR_DEPOSIT"
    shop.sandbox.control("PUT", "clock", {"offset_s": 61})
    assert read(shop, "account-12")["status"] == "DONE"


def test_a_deposit_needs_a_known_account_and_kind(shop: Shop) -> None:
    shop.account("account-13")
    assert "kind" in shop.sandbox.refused(
        "POST", "deposits", {"orderId": "account-13", "kind": "?"}
    )
    assert "amount" in shop.sandbox.refused(
        "POST", "deposits", {"orderId": "account-13", "amount": -1}
    )
    assert "No virtual account" in shop.sandbox.refused("POST", "deposits", {"orderId": "nobody"})
