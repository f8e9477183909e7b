"""Lists of the Toss Payments API, and cash receipts, which are found in a list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from opsapp.gateways import toss_fields as fields
from opsapp.gateways.base import GatewayAway
from opsapp.gateways.toss_fields import CURRENCY, METHOD_KINDS, TROUBLE, Unreadable, unreadable
from opsapp.gateways.values import (
    Answer,
    CashReceipt,
    CashReceiptRequest,
    GatewayTransaction,
    Outcome,
    SettledTransaction,
)

R = TypeVar("R")

TITLE_LENGTH_MAX = 100
# A row of one of these takes money away again: a cancel, or a deposit that the bank took back.
_TAKEN_BACK_STATUSES = ("CANCELED", "PARTIAL_CANCELED", "WAITING_FOR_DEPOSIT")
_RECEIPT_TYPES = {"income_deduction": "소득공제", "expense_proof": "지출증빙"}
_RECEIPT_STATUSES = {"IN_PROGRESS": "in_progress", "COMPLETED": "issued", "FAILED": "failed"}


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    by_key: dict[str, Answer]
    next_cursor: int  # 0: this was the last page


def understand_each(rows: object, understand: Callable[[Any], R]) -> list[R]:
    """Raises GatewayAway: books of which one row is not understood are not known whole."""
    if not isinstance(rows, list):
        raise GatewayAway("the answer is no list")
    try:
        return [understand(row) for row in rows]
    except TROUBLE as trouble:
        raise GatewayAway(f"a row could not be read ({type(trouble).__name__})") from trouble


def understand_transaction(row: Any) -> GatewayTransaction:
    """One row of /v1/transactions; a cancel counts negative whatever sign the vendor gives."""
    sign = -1 if row["status"] in _TAKEN_BACK_STATUSES else 1
    amount = fields.signed_money(row["amount"], row["currency"])
    return GatewayTransaction(
        gateway_order_id=fields.key(row["orderId"]),
        gateway_key=fields.key(row["paymentKey"]),
        transaction_key=fields.key(row["transactionKey"]),
        amount=fields.signed_money(sign * abs(amount.minor), row["currency"]),
        at=fields.moment(row["transactionAt"]),
    )


def understand_settlement(row: Any) -> SettledTransaction:
    """One settlement row; a cancel is negative."""
    currency = row.get("currency", CURRENCY)
    fees = [fields.signed_money(each["fee"], currency).minor for each in row["fees"]]
    return SettledTransaction(
        gateway_order_id=fields.key(row["orderId"]),
        gateway_key=fields.key(row["paymentKey"]),
        transaction_key=fields.key(row["transactionKey"]),
        method_kind=METHOD_KINDS[row["method"]],
        amount=fields.signed_money(row["amount"], currency),
        fee=fields.signed_money(sum(fees), currency),
        vat=fields.signed_money(row["vat"], currency),
        pay_out=fields.signed_money(row["payOutAmount"], currency),
        sold_on=fields.day(row["soldDate"]),
        paid_out_on=fields.day(row["paidOutDate"]),
    )


def receipt_fields(request: CashReceiptRequest) -> dict[str, Any]:
    """The body of `POST /v1/cash-receipts`."""
    return {
        "amount": request.amount.minor,
        "orderId": request.gateway_order_id,
        "orderName": request.title[:TITLE_LENGTH_MAX],
        "customerIdentityNumber": request.registration,
        "type": _RECEIPT_TYPES[request.kind],
        "taxFreeAmount": request.tax_free.minor,
    }


def understand_receipt(receipt: Any, *, trace_id: str | None = None) -> Answer:
    """A CashReceipt: issued, refused, or still on its way to the tax office."""
    try:
        status = _RECEIPT_STATUSES[receipt["issueStatus"]]
        if receipt.get("transactionType") == "CANCEL" and status == "issued":
            status = "cancelled"
        found = CashReceipt(
            receipt_key=fields.key(receipt["receiptKey"]),
            status=status,
            issue_number=fields.shown(receipt.get("issueNumber")),
            receipt_url=fields.shown(receipt.get("receiptUrl"), length_max=fields.URL_LENGTH_MAX),
            failure_code=fields.code(fields.part(receipt, "failure").get("code")) or None,
        )
    except TROUBLE as trouble:
        return unreadable("CashReceipt", trouble, trace_id)
    outcome = Outcome.PENDING if status == "in_progress" else Outcome.APPROVED
    return Answer(outcome, status.replace("_", " "), cash_receipt=found, trace_id=trace_id)


def understand_receipts(page: Any) -> ReceiptPage | Answer:
    try:
        by_key = {fields.key(row["receiptKey"]): understand_receipt(row) for row in page["data"]}
        return ReceiptPage(by_key, _cursor(page["lastCursor"]) if page["hasNext"] else 0)
    except TROUBLE as trouble:
        return unreadable("list of cash receipts", trouble, None)


def _cursor(value: object) -> int:
    """A number, in some versions written as text."""
    cursor = int(value) if isinstance(value, str | int) else 0
    if cursor <= 0:
        raise Unreadable("no cursor to go on from")
    return cursor
