"""Billing keys: issued once, charged with their own customerKey, deleted, declined."""

from typing import Any

import pytest

from tests.sandbox.conftest import Shop


def issue(shop: Shop, auth_key: str) -> Any:
    body = {"authKey": auth_key, "customerKey": "customer-1"}
    return shop.post("billing/authorizations/issue", body).json()


def test_an_auth_key_works_once(shop: Shop) -> None:
    assert issue(shop, "card.once")["method"] == "카드"
    assert issue(shop, "card.once")["code"] == "INVALID_BILLING_AUTH"
    assert issue(shop, "card.twice")["customerKey"] == "customer-1"


def test_the_auth_key_chooses_the_method(shop: Shop) -> None:
    assert issue(shop, "anything")["card"]["number"].count("*") == 5
    account = issue(shop, "transfer.1")
    assert (account["method"], account["card"]) == ("계좌이체", None)
    assert account["transfers"][0]["bankAccountNumber"]
    wallet = issue(shop, "easy_pay.1")
    assert wallet["method"] == "간편결제"
    paid = shop.charge(wallet["billingKey"], "wallet-01").json()
    assert paid["easyPay"]["provider"] == wallet["easyPay"]["provider"]


def test_a_charge_is_a_payment_of_type_billing(shop: Shop) -> None:
    payment = shop.charge(shop.billing_key(), "billing-1").json()
    assert (payment["type"], payment["status"]) == ("BILLING", "DONE")
    assert (payment["vat"], payment["suppliedAmount"]) == (900, 9000)
    assert "customerKey" not in payment
    assert shop.get("payments/orders/billing-1").json() == payment


def test_an_account_charges_from_200_won(shop: Shop) -> None:
    key = shop.billing_key("transfer")
    assert shop.charge(key, "account-1", amount=199).json()["code"] == "BELOW_MINIMUM_AMOUNT"
    assert shop.charge(key, "account-1", amount=200).json()["transfer"]["bankCode"]


def test_an_order_is_charged_once(shop: Shop) -> None:
    key = shop.billing_key()
    assert shop.charge(key, "billing-2").status_code == 200
    answer = shop.charge(key, "billing-2")
    assert (answer.status_code, answer.json()["code"]) == (400, "DUPLICATED_ORDER_ID")


@pytest.mark.parametrize(
    ("kind", "state", "status", "code"),
    [
        ("card", "expired", 400, "INVALID_CARD_EXPIRATION"),
        ("card", "stopped", 400, "INVALID_STOPPED_CARD"),
        ("card", "lost", 400, "INVALID_CARD_LOST_OR_STOLEN"),
        ("card", "insufficient_funds", 403, "REJECT_CARD_PAYMENT"),
        ("transfer", "insufficient_funds", 403, "REJECT_ACCOUNT_PAYMENT"),
    ],
)
def test_a_card_in_trouble_declines_until_it_is_well_again(
    shop: Shop, kind: str, state: str, status: int, code: str
) -> None:
    key = shop.billing_key(kind)
    shop.sandbox.control("POST", f"cards/{key}", {"state": state})
    answer = shop.charge(key, "trouble-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    aborted = shop.get("payments/orders/trouble-1").json()
    assert (aborted["status"], aborted["failure"]["code"]) == ("ABORTED", code)
    shop.sandbox.control("POST", f"cards/{key}", {"state": "ok"})
    assert shop.charge(key, "trouble-1").status_code == 200


def test_a_deleted_key_charges_no_more(shop: Shop) -> None:
    key = shop.billing_key()
    assert shop.delete(f"billing/{key}").status_code == 200
    assert shop.charge(key, "deleted-1").json()["code"] == "ALREADY_REMOVED_BILLING_KEY"


def test_an_unknown_key_is_not_found(shop: Shop) -> None:
    answer = shop.charge("no-such-key", "unknown-1")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND_BILLING")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cardNumber": "1234"}, "INVALID_CARD_NUMBER"),
        ({"cardExpirationYear": "20"}, "INVALID_CARD_EXPIRATION"),
        ({"cardExpirationMonth": "13"}, "INVALID_CARD_EXPIRATION"),
        ({"customerIdentityNumber": "8812"}, "INVALID_BIRTH_DAY_FORMAT"),
        ({"cardPassword": "123"}, "INVALID_CARD_PASSWORD"),
    ],
)
def test_bad_card_data_is_refused(shop: Shop, change: dict[str, str], code: str) -> None:
    card = {
        "customerKey": "customer-1",
        "cardNumber": "4330123412341234",
        "cardExpirationYear": "99",
        "cardExpirationMonth": "07",
        "customerIdentityNumber": "881212",
    }
    answer = shop.post("billing/authorizations/card", card | change)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_card_state_needs_a_known_key_and_state(shop: Shop) -> None:
    assert "state" in shop.sandbox.refused("POST", f"cards/{shop.billing_key()}", {"state": "?"})
    assert "billing key" in shop.sandbox.refused("POST", "cards/nobody", {"state": "ok"})
