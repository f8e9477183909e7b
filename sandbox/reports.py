"""Lists over many payments: transactions and settlements.

`GET /v1/transactions`: one row per approval and per cancel. `GET /v1/settlements`: rows from the
day after the payment; payOutAmount = amount - fees; vat is the fee's (docs.tosspayments.com).
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from sandbox import clock, payment_object as objects
from sandbox.books import Books, Merchant, Transaction
from sandbox.call import Call
from sandbox.errors import Answer, Refused, answer_of

Json = dict[str, Any]

_DEFAULT_LIMIT: Final = 100
_MOST_ROWS: Final = 5000
_PAID_OUT_AFTER_WORKING_DAYS: Final = 2
# Basis points of the amount, made up; a virtual account costs a fixed sum.
_FEE_BASIS_POINTS: Final = {
    objects.CARD: 290,
    objects.EASY_PAY: 310,
    objects.TRANSFER: 180,
    objects.MOBILE: 350,
}
_OTHER_FEE_BASIS_POINTS: Final = 500
_ACCOUNT_FEE: Final = 440
_ERROR_KINDS: Final = ("missing", "doubled", "wrong_amount", "wrong_fee")
# How often a row with a planted error stands in the report.
_APPEARANCES: Final[dict[str | None, int]] = {"missing": 0, "doubled": 2}


def transactions(books: Books, call: Call) -> Answer:
    """`GET /v1/transactions?startDate&endDate&startingAfter&limit`"""
    start_s, end_s = _instant(call.query, "startDate"), _instant(call.query, "endDate")
    if end_s < start_s:
        raise Refused("INVALID_DATE")
    limit = _count(call.query, "limit", _DEFAULT_LIMIT)
    rows = [row for row in call.merchant.transactions if start_s <= row.at_s <= end_s]
    after = call.query.get("startingAfter")
    if after is not None:
        position = next((i for i, row in enumerate(rows) if row.key == after), None)
        if position is None:
            raise Refused("INVALID_PAGING_KEY")
        rows = rows[position + 1 :]
    return answer_of([_transaction_row(call.merchant, row) for row in rows[:limit]])


def settlements(books: Books, call: Call) -> Answer:
    """`GET /v1/settlements?startDate&endDate&dateType&page&size`"""
    start, end = _day(call.query, "startDate"), _day(call.query, "endDate")
    if end < start:
        raise Refused("INVALID_DATE")
    date_type = call.query.get("dateType", "soldDate")
    if date_type not in ("soldDate", "paidOutDate"):
        raise Refused("INVALID_REQUEST", "`dateType`은 soldDate 또는 paidOutDate여야 합니다.")
    page = _count(call.query, "page", 1)
    size = _count(call.query, "size", _DEFAULT_LIMIT)
    # Rows appear the day after the sale.
    latest = clock.day_of(books.now()) - timedelta(days=1)
    chosen = [
        listed
        for listed in _listed(books, call.merchant, books.faults.settlement_errors)
        if (sold := clock.day_of(listed[0].at_s)) <= latest
        and start <= (sold if date_type == "soldDate" else _paid_out(sold)) <= end
    ]
    rows = chosen[(page - 1) * size : page * size]
    return answer_of([_settlement_row(call.merchant, row, kind) for row, kind in rows])


def settlement_day(books: Books, day: date, errors: float) -> Answer:
    """`GET /_sandbox/settlements/{date}`: every merchant's rows sold that day, errors named."""
    rows: list[Json] = []
    planted: list[Json] = []
    for merchant in books.merchants.values():
        sold = [row for row in merchant.transactions if clock.day_of(row.at_s) == day]
        for row in sold:
            kind = _error_kind(books, row, errors)
            if kind is not None:
                planted.append({"transactionKey": row.key, "kind": kind})
            rows += [_settlement_row(merchant, row, kind)] * _APPEARANCES.get(kind, 1)
    return answer_of({"date": day.isoformat(), "rows": rows, "errors": planted})


def _listed(
    books: Books, merchant: Merchant, errors: float
) -> Iterator[tuple[Transaction, str | None]]:
    for row in merchant.transactions:
        kind = _error_kind(books, row, errors)
        for _ in range(_APPEARANCES.get(kind, 1)):
            yield row, kind


def _paid_out(sold: date) -> date:
    return clock.working_day_after(sold, _PAID_OUT_AFTER_WORKING_DAYS)


def _error_kind(books: Books, transaction: Transaction, share: float) -> str | None:
    if not share or books.faults.draw(transaction.payment_key, "settlement") >= share:
        return None
    choice = books.faults.draw(transaction.payment_key, "settlement kind")
    return _ERROR_KINDS[int(choice * len(_ERROR_KINDS))]


def _transaction_row(merchant: Merchant, row: Transaction) -> Json:
    held = merchant.payments[row.payment_key]
    payment = held.read()
    return {
        "mId": merchant.id,
        "transactionKey": row.key,
        "paymentKey": row.payment_key,
        "orderId": held.order_id,
        "method": payment["method"],
        "customerKey": held.customer_key,
        "useEscrow": payment["useEscrow"],
        "receiptUrl": (payment["receipt"] or {}).get("url"),
        "status": _row_status(row, payment),
        "transactionAt": clock.stamp(row.at_s),
        "currency": payment["currency"],
        "amount": row.amount,
    }


def _row_status(row: Transaction, payment: Json) -> str:
    """The row of a cancel in part says PARTIAL_CANCELED, whatever the payment became later."""
    if row.status == "CANCELED" and row.amount < payment["totalAmount"]:
        return "PARTIAL_CANCELED"
    return row.status


def _settlement_row(merchant: Merchant, row: Transaction, error: str | None) -> Json:
    held = merchant.payments[row.payment_key]
    payment = held.read()
    sign = 1 if row.status == "DONE" else -1
    amount = sign * (row.amount + (10 if error == "wrong_amount" else 0))
    fee = sign * (_fee(payment["method"], row.amount) + (11 if error == "wrong_fee" else 0))
    supply = round(fee / 1.1)
    sold = clock.day_of(row.at_s)
    cancel = next(
        (part for part in payment["cancels"] or [] if part["transactionKey"] == row.key), None
    )
    return {
        "mId": merchant.id,
        "paymentKey": row.payment_key,
        "transactionKey": row.key,
        "orderId": held.order_id,
        "currency": payment["currency"],
        "method": payment["method"],
        "amount": amount,
        "interestFee": 0,
        "fees": [{"type": "BASE", "fee": fee}],
        "supplyAmount": supply,
        "vat": fee - supply,
        "payOutAmount": amount - fee,
        "approvedAt": payment["approvedAt"],
        "soldDate": sold.isoformat(),
        "paidOutDate": _paid_out(sold).isoformat(),
        "card": payment["card"],
        "easyPay": payment["easyPay"],
        "giftCertificate": payment["giftCertificate"],
        "mobilePhone": payment["mobilePhone"],
        "transfer": payment["transfer"],
        "virtualAccount": payment["virtualAccount"],
        "cancel": cancel,
    }


def _fee(method: str, amount: int) -> int:
    if method == objects.VIRTUAL_ACCOUNT:
        return min(_ACCOUNT_FEE, amount)
    return amount * _FEE_BASIS_POINTS.get(method, _OTHER_FEE_BASIS_POINTS) // 10_000


def _instant(query: dict[str, str], name: str) -> float:
    if name not in query:
        raise Refused("INVALID_REQUIRED_PARAM", f"필수 파라미터 `{name}`이(가) 누락되었습니다.")
    try:
        return clock.parse_instant(query[name])
    except (ValueError, OverflowError):
        raise Refused("INVALID_ISO_DATE_FORMAT") from None


def _day(query: dict[str, str], name: str) -> date:
    if name not in query:
        raise Refused("INVALID_REQUIRED_PARAM", f"필수 파라미터 `{name}`이(가) 누락되었습니다.")
    try:
        day = date.fromisoformat(query[name])
        # A day must leave room for the days computed from it.
        return min(date.max - timedelta(days=30), day)
    except ValueError:
        raise Refused("INVALID_DATE") from None


def _count(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Refused("INVALID_REQUEST", f"`{name}`은(는) 1 이상의 정수여야 합니다.")
    if int(text) > _MOST_ROWS and name != "page":
        raise Refused("EXCEED_MAX_QUERY_LIMIT")
    return int(text)
