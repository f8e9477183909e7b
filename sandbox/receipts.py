"""Cash receipts in their simple form: issued at once, cancelled once, listed by day.

The vendor knows the result after one or two days; here it is COMPLETED at once. A cancel is a
receipt of its own, whose key is `c_` + receiptKey (docs.tosspayments.com, cash receipts).
"""

import re
import secrets
from typing import Any, Final

from sandbox import clock, fields
from sandbox.books import Books
from sandbox.call import Call
from sandbox.errors import Answer, Refused, answer_of

Json = dict[str, Any]

_TYPES: Final = ("소득공제", "지출증빙")
_DEFAULT_LIMIT: Final = 100
_MOST_ROWS: Final = 10_000


def issue(books: Books, call: Call) -> Answer:
    """`POST /v1/cash-receipts`"""
    body = call.body
    order_id, order_name = fields.order_id(body), fields.order_name(body)
    amount = fields.amount(body)
    kind = body.get("type")
    if kind not in _TYPES:
        raise Refused("INVALID_CASH_RECEIPT_INFO")
    identity = re.sub(r"-", "", fields.text(body, "customerIdentityNumber", most=30))
    if not re.fullmatch(r"\d{10,18}", identity):
        raise Refused("INVALID_CASH_RECEIPT_INFO")
    if any(
        receipt["orderId"] == order_id and receipt["transactionType"] == "CONFIRM"
        for receipt in call.merchant.receipts.values()
    ):
        raise Refused("DUPLICATED_CASH_RECEIPT")
    receipt: Json = {
        "receiptKey": secrets.token_urlsafe(24),
        "issueNumber": str(secrets.randbelow(10**9)).zfill(9),
        "issueStatus": "COMPLETED",
        "amount": amount,
        "taxFreeAmount": fields.part_of_amount(body, "taxFreeAmount", amount),
        "orderId": order_id,
        "orderName": order_name,
        "type": kind,
        "transactionType": "CONFIRM",
        "businessNumber": "0000000000",
        "customerIdentityNumber": f"{identity[:3]}****{identity[-4:]}",
        "failure": None,
        "requestedAt": clock.stamp(books.now()),
        "receiptUrl": "https://dashboard.tosspayments.com/receipt/cash-receipt",
    }
    books.record_receipt(call.merchant, receipt)
    return answer_of(receipt)


def cancel(books: Books, call: Call) -> Answer:
    """`POST /v1/cash-receipts/{receiptKey}/cancel`"""
    receipt = call.merchant.receipts.get(call.arguments[0])
    if receipt is None or receipt["transactionType"] != "CONFIRM":
        raise Refused("NOT_FOUND")
    cancel_key = f"c_{receipt['receiptKey']}"
    if cancel_key in call.merchant.receipts:
        raise Refused("ALREADY_CANCELED_PAYMENT")
    amount = fields.whole(call.body.get("amount", receipt["amount"]), "amount")
    if not 0 < amount <= receipt["amount"]:
        raise Refused("NOT_CANCELABLE_AMOUNT")
    cancelled = receipt | {
        "receiptKey": cancel_key,
        "transactionType": "CANCEL",
        "amount": amount,
        "requestedAt": clock.stamp(books.now()),
    }
    books.record_receipt(call.merchant, cancelled)
    return answer_of(cancelled)


def listed(books: Books, call: Call) -> Answer:
    """`GET /v1/cash-receipts?requestDate&cursor&limit`"""
    day = call.query.get("requestDate")
    if day is None or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise Refused("INVALID_DATE")
    cursor, limit = call.query.get("cursor", "0"), call.query.get("limit", str(_DEFAULT_LIMIT))
    if not (cursor.isascii() and cursor.isdigit() and limit.isascii() and limit.isdigit()):
        raise Refused("INVALID_PAGING_KEY")
    first, size = int(cursor), int(limit)
    if not 1 <= size <= _MOST_ROWS:
        raise Refused("EXCEED_MAX_QUERY_LIMIT")
    rows = [row for row in call.merchant.receipts.values() if row["requestedAt"][:10] == day]
    end = first + size
    return answer_of(
        {"hasNext": len(rows) > end, "lastCursor": min(end, len(rows)), "data": rows[first:end]}
    )
