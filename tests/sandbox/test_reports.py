"""Transactions and settlements: a row per approval and per cancel, and sums that hold."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.sandbox.conftest import Shop

EVER = {"startDate": "2020-01-01T00:00:00", "endDate": "2099-01-01T00:00:00"}


def today(shop: Shop) -> date:
    return date.fromisoformat(shop.sandbox.control("GET", "health")["now"][:10])


def day_report(shop: Shop, errors: float = 0) -> Any:
    return shop.sandbox.control("GET", f"settlements/{today(shop)}?errors={errors}")


def test_one_row_per_approval_and_per_cancel(shop: Shop) -> None:
    payment = shop.paid("report-01")
    for _ in range(2):
        shop.post(
            f"payments/{payment['paymentKey']}/cancel",
            {"cancelReason": "변심", "cancelAmount": 7500},
        )
    shop.account("report-02")
    rows = shop.get("transactions", **EVER).json()
    assert [(row["status"], row["amount"]) for row in rows] == [
        ("DONE", 15_000),
        ("PARTIAL_CANCELED", 7500),
        ("PARTIAL_CANCELED", 7500),
    ]
    assert len({row["transactionKey"] for row in rows}) == 3
    assert rows[0]["transactionKey"] == payment["lastTransactionKey"]


def test_transactions_are_read_page_by_page(shop: Shop) -> None:
    key = shop.billing_key()
    for number in range(5):
        shop.charge(key, f"page-{number:04d}")
    seen: list[str] = []
    after: dict[str, str] = {}
    while page := shop.get("transactions", limit="2", **EVER, **after).json():
        seen += [row["orderId"] for row in page]
        assert page[0]["customerKey"] == "customer-1"
        after = {"startingAfter": page[-1]["transactionKey"]}
    assert seen == [f"page-{number:04d}" for number in range(5)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"startDate": "2020-01-01T00:00:00"}, "INVALID_REQUIRED_PARAM"),
        (EVER | {"startDate": "yesterday"}, "INVALID_ISO_DATE_FORMAT"),
        (EVER | {"endDate": "2019-01-01T00:00:00"}, "INVALID_DATE"),
        (EVER | {"limit": "5001"}, "EXCEED_MAX_QUERY_LIMIT"),
        (EVER | {"limit": "0"}, "INVALID_REQUEST"),
        (EVER | {"startingAfter": "nothing"}, "INVALID_PAGING_KEY"),
    ],
)
def test_a_bad_query_is_refused(shop: Shop, query: dict[str, str], code: str) -> None:
    answer = shop.get("transactions", **query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_settlement_rows_appear_the_day_after(shop: Shop) -> None:
    payment = shop.paid("settle-01", amount=100_000)
    day = today(shop)
    query = {"startDate": str(day - timedelta(days=1)), "endDate": str(day + timedelta(days=9))}
    assert shop.get("settlements", **query).json() == []
    shop.sandbox.control("PUT", "clock", {"offset_s": 86_400})
    (row,) = shop.get("settlements", **query).json()
    assert row["transactionKey"] == payment["lastTransactionKey"]
    fee = row["fees"][0]["fee"]
    assert row["payOutAmount"] == row["amount"] - fee
    assert row["supplyAmount"] + row["vat"] == fee
    assert row["paidOutDate"] > row["soldDate"] == str(day)


def test_a_cancel_settles_with_the_opposite_sign(shop: Shop) -> None:
    payment = shop.paid("settle-02", amount=100_000)
    shop.post(f"payments/{payment['paymentKey']}/cancel", {"cancelReason": "변심"})
    rows = [row for row in day_report(shop)["rows"] if row["mId"] == payment["mId"]]
    assert [row["amount"] for row in rows] == [100_000, -100_000]
    assert sum(row["payOutAmount"] for row in rows) == 0
    assert rows[1]["cancel"]["cancelAmount"] == 100_000


def test_a_report_with_planted_errors_names_them_and_repeats_itself(shop: Shop) -> None:
    key = shop.billing_key()
    payments = [shop.charge(key, f"planted-{number:03d}").json() for number in range(30)]
    clean, faulty = day_report(shop), day_report(shop, 0.5)
    assert clean["errors"] == []
    assert faulty == day_report(shop, 0.5)
    keys = {payment["lastTransactionKey"] for payment in payments}
    planted = {e["transactionKey"]: e["kind"] for e in faulty["errors"]}
    assert {planted[key] for key in keys & set(planted)} > {"missing"}
    for key in keys:
        count = [row["transactionKey"] for row in faulty["rows"]].count(key)
        assert count == {"missing": 0, "doubled": 2}.get(planted.get(key, ""), 1)


def test_the_list_of_payments_is_everything_or_a_part(shop: Shop) -> None:
    first, second = shop.paid("list-0001"), shop.paid("list-0002")
    listed = shop.sandbox.control("GET", f"payments?mId={first['mId']}")
    assert listed == [first, second]
    after = shop.sandbox.control(
        "GET", f"payments?mId={first['mId']}&after={first['paymentKey']}&limit=1"
    )
    assert after == [second]
    assert shop.sandbox.control("GET", "payments?since=2099-01-01") == []
    assert second in shop.sandbox.control("GET", "payments?since=2020-01-01T00:00:00%2B09:00")
    assert "since" in shop.sandbox.refused("GET", "payments?since=yesterday")


def test_cash_receipts_are_issued_listed_and_cancelled(shop: Shop) -> None:
    body = {
        "amount": 10_000,
        "orderId": "receipt-1",
        "orderName": "사과",
        "type": "소득공제",
        "customerIdentityNumber": "01012345678",
    }
    receipt = shop.post("cash-receipts", body).json()
    assert "12345678" not in receipt["customerIdentityNumber"]
    assert shop.post("cash-receipts", body).json()["code"] == "DUPLICATED_CASH_RECEIPT"
    cancelled = shop.post(f"cash-receipts/{receipt['receiptKey']}/cancel").json()
    assert cancelled["receiptKey"] == f"c_{receipt['receiptKey']}"
    listed = shop.get("cash-receipts", requestDate=receipt["requestedAt"][:10], limit="1").json()
    assert (listed["hasNext"], listed["data"]) == (True, [receipt])


def test_counts_tell_requests_and_charges(shop: Shop) -> None:
    before = shop.sandbox.control("GET", "counts")
    shop.charge(shop.billing_key(), "count-001", idempotency_key="pay:1")
    after = shop.sandbox.control("GET", "counts")
    for name in ("POST /v1/billing/*", "charges applied"):
        assert after[name] - before.get(name, 0) == 1
