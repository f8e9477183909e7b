"""Virtual accounts: opening, money arriving, taking it back, running out.

Rules (docs.tosspayments.com): validHours at most 2160 or dueDate at most 90 days, default 168 h,
never both; only the exact amount is accepted; test accounts begin with X; DEPOSIT_CALLBACK on
opening, deposit, deposit error and cancel; running out sets `expired` and sends no webhook.
"""

import re
import secrets
from datetime import timedelta
from typing import Any, Final

from sandbox import clock, fields, payment_object as objects
from sandbox.books import TAKEN_STATES, Books, Held, Merchant, Transaction
from sandbox.call import Call
from sandbox.errors import Answer, ControlRefused, Refused, answer_of

Json = dict[str, Any]

_DEFAULT_VALID_HOURS: Final = 168
_MOST_VALID_HOURS: Final = 2160
_MOST_DUE_DAYS: Final = 90
DEPOSIT_KINDS: Final = ("exact", "short", "over", "late", "wrong_depositor", "reversed")


def issue(books: Books, call: Call) -> Answer:
    """`POST /v1/virtual-accounts`"""
    body = call.body
    order_id, order_name = fields.order_id(body), fields.order_name(body)
    amount = fields.amount(body, least=objects.LEAST_ACCOUNT_AMOUNT)
    fields.text(body, "customerName", most=100)
    fields.check_contact(body)
    before = call.merchant.orders.get(order_id)
    if before is not None and before.status in TAKEN_STATES:
        raise Refused("DUPLICATED_ORDER_ID")
    now = books.now()
    payment = objects.new_payment(
        call.merchant.id,
        payment_key=objects.new_payment_key(call.merchant.id, now),
        order_id=order_id,
        order_name=order_name,
        kind="NORMAL",
        amount=amount,
        tax_free=fields.part_of_amount(body, "taxFreeAmount", amount),
        tax_exemption=fields.part_of_amount(body, "taxExemptionAmount", amount),
        requested_at_s=now,
        method=objects.VIRTUAL_ACCOUNT,
    )
    payment["metadata"] = fields.metadata(body)
    payment["useEscrow"] = bool(body.get("useEscrow", False))
    if body.get("bank") is None:
        raise Refused("INVALID_REQUIRED_PARAM", "필수 파라미터 `bank`이(가) 누락되었습니다.")
    return open_account(books, call.merchant, payment, body)


def open_account(books: Books, merchant: Merchant, payment: Json, wish: Json) -> Answer:
    """Give the payment an account of its own and wait for the money."""
    due_s = _due(books, wish)
    payment["virtualAccount"] = {
        "accountType": "일반",
        "accountNumber": _new_account_number(books),
        "bankCode": bank_code(wish.get("bank") or "88"),
        "customerName": wish.get("customerName"),
        "depositorName": None,
        "dueDate": clock.stamp_without_offset(due_s),
        "refundStatus": "NONE",
        "expired": False,
        "settlementStatus": "INCOMPLETED",
        "refundReceiveAccount": None,
    }
    payment["status"] = "WAITING_FOR_DEPOSIT"
    payment["secret"] = new_secret()
    payment["lastTransactionKey"] = objects.new_transaction_key()
    held = books.record_payment(merchant, payment)
    books.plan(due_s, "account_due", held)
    automatic = books.faults.deposits
    if automatic and books.faults.draw(held.order_id, "deposit") < automatic.get("share", 0.0):
        books.plan(books.now() + automatic.get("after_s", 0.0), "deposit", held)
    announce_deposit_state(books, payment)
    return Answer(200, held.body)


def deposit(books: Books, merchant: Merchant, body: Json) -> Answer:
    """`POST /_sandbox/deposits`: money arrives at, or is taken back from, an account.

    The bank refuses short and over sums, as the vendor's banks do; they are listed but change
    nothing. `late` is the transfer that slips in after the account ran out.
    """
    kind = body.get("kind", "exact")
    if kind not in DEPOSIT_KINDS:
        raise ControlRefused(f"kind must be one of {', '.join(DEPOSIT_KINDS)}.")
    held = _account_named(books, merchant, body)
    total = held.read()["totalAmount"]
    usual = {"short": total - 1, "over": total + 1}.get(kind, total)
    amount = body.get("amount", usual)
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        raise ControlRefused("amount must be a whole number above 0.")
    depositor = fields.optional_text(body, "depositor", most=100)
    if kind == "reversed":
        return _reverse(books, held)
    if kind == "wrong_depositor":
        depositor = depositor or "모르는사람"
    return _arrive(books, held, amount, depositor, is_late=kind == "late")


def deposit_by_itself(books: Books, held: Held) -> None:
    """The deposit that the fault profile planned when the account was opened."""
    if held.status == "WAITING_FOR_DEPOSIT":
        _arrive(books, held, held.read()["totalAmount"], None, is_late=False)


def run_out(books: Books, held: Held) -> None:
    """The due date has passed: `expired`, no webhook, status unchanged."""
    payment = held.read()
    if held.status == "WAITING_FOR_DEPOSIT" and not payment["virtualAccount"]["expired"]:
        payment["virtualAccount"]["expired"] = True
        books.record_payment(books.merchant(held.merchant_id), payment)


def refund_arrives(books: Books, held: Held) -> None:
    """Money of a cancelled virtual account goes back about two days later."""
    payment = held.read()
    if payment["virtualAccount"]["refundStatus"] == "PENDING":
        payment["virtualAccount"]["refundStatus"] = "COMPLETED"
        books.record_payment(books.merchant(held.merchant_id), payment)


def announce_deposit_state(books: Books, payment: Json) -> None:
    """DEPOSIT_CALLBACK: no eventType, no paymentKey, but the secret."""
    books.announce(
        {
            "createdAt": clock.webhook_stamp(books.now()),
            "secret": payment["secret"],
            "status": payment["status"],
            "transactionKey": payment["lastTransactionKey"],
            "orderId": payment["orderId"],
        }
    )


def check_cancel_before_deposit(body: Json, *, is_partial: bool) -> None:
    """Before the deposit there is nothing to send back: no account, no part."""
    if is_partial:
        raise Refused("NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT")
    if body.get("refundReceiveAccount") is not None:
        raise Refused("INVALID_REQUEST", "입금 전 취소에는 환불 계좌를 보낼 수 없습니다.")


def refund_account(body: Json) -> Json:
    """The account a paid virtual account is refunded to; required."""
    account = body.get("refundReceiveAccount")
    if not isinstance(account, dict):
        raise Refused("INVALID_REFUND_ACCOUNT_INFO", "환불 계좌 정보가 필요합니다.")
    bank = bank_code(account.get("bank"))
    number, holder = account.get("accountNumber"), account.get("holderName")
    if not isinstance(number, str) or not re.fullmatch(r"\d{1,20}", number):
        raise Refused("INVALID_REFUND_ACCOUNT_NUMBER")
    if not isinstance(holder, str) or not 1 <= len(holder) <= 60:
        raise Refused("INVALID_REFUND_ACCOUNT_INFO")
    return {"bankCode": bank, "accountNumber": number, "holderName": holder}


def bank_code(name: Any) -> str:
    """A bank's two-digit code, from the code or the Korean name."""
    for code, korean in objects.BANKS.items():
        if name in (code, korean):
            return code
    raise Refused("INVALID_BANK")


def new_secret() -> str:
    return "ps_" + secrets.token_urlsafe(24)


def _arrive(books: Books, held: Held, amount: int, depositor: str | None, is_late: bool) -> Answer:
    payment = held.read()
    refusal = _refusal(payment, amount, is_late)
    record = {
        "orderId": held.order_id,
        "accountNumber": payment["virtualAccount"]["accountNumber"],
        "amount": amount,
        "depositor": depositor or payment["virtualAccount"]["customerName"],
        "at": clock.stamp(books.now()),
        "accepted": refusal is None,
        "reason": refusal,
    }
    books.record_deposit(record)
    if refusal is None:
        if is_late:
            payment["virtualAccount"]["expired"] = True
        payment["virtualAccount"]["depositorName"] = record["depositor"]
        _book_deposit(books, held, payment)
    return answer_of(record | {"status": held.status})


def _refusal(payment: Json, amount: int, is_late: bool) -> str | None:
    if payment["status"] != "WAITING_FOR_DEPOSIT":
        return f"the payment is {payment['status']}"
    if amount != payment["totalAmount"]:
        return "the account accepts only the exact amount"
    if payment["virtualAccount"]["expired"] and not is_late:
        return "the account has run out"
    return None


def _book_deposit(books: Books, held: Held, payment: Json) -> None:
    transaction = Transaction(
        objects.new_transaction_key(),
        books.now(),
        payment["totalAmount"],
        "DONE",
        held.payment_key,
    )
    objects.approve(payment, transaction.at_s, transaction.key)
    books.record_payment(books.merchant(held.merchant_id), payment, transaction=transaction)
    announce_deposit_state(books, payment)
    books.announce_payment(payment)
    books.counts["charges applied"] += 1


def _reverse(books: Books, held: Held) -> Answer:
    """A deposit error of the bank: DONE -> WAITING_FOR_DEPOSIT."""
    if held.status != "DONE":
        raise ControlRefused(f"Only a DONE deposit can be taken back, this is {held.status}.", 409)
    payment = held.read()
    transaction = Transaction(
        objects.new_transaction_key(),
        books.now(),
        payment["totalAmount"],
        "WAITING_FOR_DEPOSIT",
        held.payment_key,
    )
    payment["status"] = "WAITING_FOR_DEPOSIT"
    payment["approvedAt"] = None
    payment["receipt"] = None
    payment["lastTransactionKey"] = transaction.key
    payment["virtualAccount"]["depositorName"] = None
    books.record_payment(books.merchant(held.merchant_id), payment, transaction=transaction)
    announce_deposit_state(books, payment)
    return answer_of({"orderId": held.order_id, "status": held.status, "accepted": True})


def _account_named(books: Books, merchant: Merchant, body: Json) -> Held:
    """The account by number, or by order: of the API key's merchant, else of whoever has it."""
    if body.get("accountNumber") is not None:
        held = books.accounts.get(str(body["accountNumber"]))
    else:
        order_id = str(body.get("orderId"))
        asked = [merchant] if merchant.id else list(books.merchants.values())
        matching = [one.orders[order_id] for one in asked if order_id in one.orders]
        if len(matching) > 1:
            raise ControlRefused(
                "Several merchants have this orderId; send the API key or the accountNumber."
            )
        held = matching[0] if matching else None
    if held is None or held.read()["virtualAccount"] is None:
        raise ControlRefused("No virtual account has this orderId or accountNumber.", 404)
    return held


def _due(books: Books, wish: Json) -> float:
    hours, due_date = wish.get("validHours"), wish.get("dueDate")
    now = books.now()
    if hours is not None and due_date is not None:
        raise Refused("INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE")
    if due_date is not None:
        try:
            due_s = clock.parse_instant(due_date)
        except (TypeError, ValueError):
            raise Refused("INVALID_DATE") from None
        if due_s <= now:
            raise Refused("INVALID_DATE")
        if due_s > now + timedelta(days=_MOST_DUE_DAYS).total_seconds():
            raise Refused("EXCEED_MAX_DUE_DATE")
        return due_s
    hours = _DEFAULT_VALID_HOURS if hours is None else fields.whole(hours, "validHours")
    if hours < 1:
        raise Refused("INVALID_REQUEST", "`validHours`는 1 이상이어야 합니다.")
    if hours > _MOST_VALID_HOURS:
        raise Refused("EXCEED_MAX_VALID_HOURS")
    return now + timedelta(hours=hours).total_seconds()


def _new_account_number(books: Books) -> str:
    while True:
        number = "X" + str(secrets.randbelow(10**13)).zfill(13)
        if number not in books.accounts:
            return number
