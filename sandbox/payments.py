"""Payments by window: authenticate (stand-in for the window), confirm, read, cancel, expire.

States (docs.tosspayments.com): READY -> IN_PROGRESS -> DONE | ABORTED; IN_PROGRESS -> EXPIRED;
DONE -> PARTIAL_CANCELED | CANCELED; virtual account: WAITING_FOR_DEPOSIT -> DONE | CANCELED and
DONE -> WAITING_FOR_DEPOSIT when the bank takes the deposit back.
"""

import re
from typing import Any, Final

from sandbox import accounts, clock, fields, payment_object as objects
from sandbox.billing import decline_drawn
from sandbox.books import TAKEN_STATES, Books, Held, Merchant, Transaction
from sandbox.call import Call
from sandbox.errors import CODES, Answer, ControlRefused, Refused, answer_of

Json = dict[str, Any]

# Confirm must follow within ten minutes of the authentication (docs.tosspayments.com).
SESSION_S: Final = 600
REFUND_TRAVEL_S: Final = 2 * 86_400
_GIFT_METHODS: Final = (objects.CULTURE_GIFT, objects.BOOK_GIFT, objects.GAME_GIFT)


def authenticate(books: Books, merchant: Merchant, body: Json) -> Answer:
    """`POST /_sandbox/authentications`: a buyer has gone through the payment window."""
    held = authenticated(books, merchant, body)
    return answer_of(
        {
            "paymentKey": held.payment_key,
            "orderId": held.order_id,
            "amount": held.read()["totalAmount"],
            "status": held.status,
            "validUntil": clock.stamp(held.changed_at + SESSION_S),
        }
    )


def check_order(body: Json) -> tuple[str, int]:
    """The method, in the API's word, and the amount of what a window is opened for."""
    named = str(body.get("method") or "CARD")
    method = objects.METHODS.get(named, named)
    if method not in objects.METHODS.values():
        raise ControlRefused(f"method must be one of {', '.join(objects.METHODS)}.")
    is_account = method in (objects.TRANSFER, objects.VIRTUAL_ACCOUNT)
    least = objects.LEAST_ACCOUNT_AMOUNT if is_account else objects.LEAST_CARD_AMOUNT
    fields.order_id(body)
    fields.order_name({"orderName": "주문"} | body)
    fields.check_contact(body)
    return method, fields.amount(body, least=least)


def authenticated(books: Books, merchant: Merchant, body: Json) -> Held:
    """A payment that waits IN_PROGRESS for its confirm, as the buyer chose.

    `fails_with` makes the window fail instead. A window that the buyer closes sends no webhook.
    """
    method, amount = check_order(body)
    now = books.now()
    payment = objects.new_payment(
        merchant.id,
        payment_key=objects.new_payment_key(merchant.id, now),
        order_id=fields.order_id(body),
        order_name=fields.order_name({"orderName": "주문"} | body),
        kind="NORMAL",
        amount=amount,
        tax_free=fields.part_of_amount(body, "taxFreeAmount", amount),
        tax_exemption=fields.part_of_amount(body, "taxExemptionAmount", amount),
        requested_at_s=now,
        status="IN_PROGRESS",
    )
    payment["metadata"] = fields.metadata(body)
    _check_wish(body, amount)
    fails_with = body.get("fails_with")
    if fails_with is not None:
        if not isinstance(fails_with, str) or fails_with not in CODES:
            raise ControlRefused(f"fails_with: {fails_with!r} is not a code of the vendor.")
        objects.fail(payment, "ABORTED", fails_with, CODES[fails_with].message)
        if fails_with != "PAY_PROCESS_CANCELED":
            books.announce_payment(payment)
    private = {"method": method, "wish": body}
    held = books.record_payment(merchant, payment, private=private)
    if fails_with is None:
        books.plan(now + SESSION_S, "session", held)
    return held


def confirm(books: Books, call: Call) -> Answer:
    """`POST /v1/payments/confirm`: take the money of an authenticated payment."""
    payment_key = fields.text(call.body, "paymentKey", most=200)
    order_id, amount = fields.order_id(call.body), fields.amount(call.body)
    held = books.find_payment(call.merchant, payment_key)
    if held is None:
        raise Refused("NOT_FOUND_PAYMENT_SESSION")
    if held.status in TAKEN_STATES:
        raise Refused("ALREADY_PROCESSED_PAYMENT")
    if held.status != "IN_PROGRESS":
        raise Refused("NOT_FOUND_PAYMENT_SESSION")
    payment = held.read()
    if payment["orderId"] != order_id or payment["totalAmount"] != amount:
        raise Refused("INVALID_REQUEST", "결제 요청 정보와 승인 요청 정보가 일치하지 않습니다.")
    if call.merchant.orders[order_id].status in TAKEN_STATES:
        raise Refused("DUPLICATED_ORDER_ID")
    private = held.private or {}
    payment["method"] = private["method"]
    code = decline_drawn(books, call.merchant, order_id)
    if code is not None:
        objects.fail(payment, "ABORTED", code, CODES[code].message)
        books.record_payment(call.merchant, payment)
        books.announce_payment(payment)
        raise Refused(code)
    if payment["method"] == objects.VIRTUAL_ACCOUNT:
        return accounts.open_account(books, call.merchant, payment, private["wish"])
    return _approve(books, call.merchant, payment, private["wish"])


def read(books: Books, call: Call) -> Answer:
    """`GET /v1/payments/{paymentKey}`"""
    return Answer(200, _found(books, call.merchant, call.arguments[0]).body)


def read_by_order(books: Books, call: Call) -> Answer:
    """`GET /v1/payments/orders/{orderId}`: the inquiry after an unknown outcome."""
    held = books.find_order(call.merchant, call.arguments[0])
    if held is None:
        raise Refused("NOT_FOUND_PAYMENT")
    return Answer(200, held.body)


def cancel(books: Books, call: Call) -> Answer:
    """`POST /v1/payments/{paymentKey}/cancel`: whole or in part.

    Cancelling again answers ALREADY_CANCELED_PAYMENT (400) after one whole cancel, but
    NOT_CANCELABLE_AMOUNT (403) after cancels in parts, whose status stays PARTIAL_CANCELED.
    """
    held = _found(books, call.merchant, call.arguments[0])
    body, payment = call.body, held.read()
    reason = fields.text(body, "cancelReason", most=200)
    fields.currency(body)
    if held.status == "CANCELED":
        raise Refused("ALREADY_CANCELED_PAYMENT")
    if held.status not in TAKEN_STATES:
        raise Refused("NOT_CANCELABLE_PAYMENT")
    balance: int = payment["balanceAmount"]
    wished = body.get("cancelAmount")
    amount = balance if wished is None else fields.whole(wished, "cancelAmount")
    if wished is not None and amount <= 0:
        raise Refused("INVALID_REFUND_AMOUNT")
    refundable = body.get("refundableAmount")
    if refundable is not None and fields.whole(refundable, "refundableAmount") != balance:
        raise Refused("NOT_MATCHES_REFUNDABLE_AMOUNT")
    if amount > balance or balance == 0:
        raise Refused("NOT_CANCELABLE_AMOUNT")
    if amount < balance and not payment["isPartialCancelable"]:
        raise Refused("NOT_ALLOWED_PARTIAL_REFUND")
    if payment["method"] == objects.MOBILE and not _is_this_month(books, payment):
        raise Refused("EXCEED_MAX_REFUND_DUE")
    tax_free = fields.whole(body.get("taxFreeAmount") or 0, "taxFreeAmount")
    if not 0 <= tax_free <= min(amount, payment["taxFreeAmount"]):
        raise Refused("INVALID_REFUND_AMOUNT")
    if held.status == "WAITING_FOR_DEPOSIT":
        accounts.check_cancel_before_deposit(body, is_partial=amount < balance)
    elif payment["virtualAccount"] is not None:
        payment["virtualAccount"]["refundReceiveAccount"] = accounts.refund_account(body)
        payment["virtualAccount"]["refundStatus"] = "PENDING"
    return _cancelled(books, call.merchant, held, payment, (amount, tax_free, reason, body))


def expire_session(books: Books, held: Held) -> None:
    """Nobody confirmed in time: EXPIRED, with a webhook."""
    if held.status != "IN_PROGRESS":
        return
    payment = held.read()
    objects.fail(payment, "EXPIRED", "EXPIRED_PAYMENT", CODES["EXPIRED_PAYMENT"].message)
    books.record_payment(books.merchant(held.merchant_id), payment)
    books.announce_payment(payment)


def _cancelled(
    books: Books,
    merchant: Merchant,
    held: Held,
    payment: Json,
    request: tuple[int, int, str, Json],
) -> Answer:
    amount, tax_free, *_ = request
    was_paid = held.status != "WAITING_FOR_DEPOSIT"
    is_whole = amount == payment["totalAmount"]
    now = books.now()
    transaction = Transaction(
        objects.new_transaction_key(), now, amount, "CANCELED", held.payment_key
    )
    payment["balanceAmount"] -= amount
    payment["taxFreeAmount"] -= payment["taxFreeAmount"] if is_whole else tax_free
    payment["status"] = "CANCELED" if is_whole else "PARTIAL_CANCELED"
    payment["lastTransactionKey"] = transaction.key
    objects.set_tax(payment)
    payment["cancels"] = [
        *(payment["cancels"] or []),
        _cancel_part(payment, request, transaction),
    ]
    held = books.record_payment(merchant, payment, transaction=transaction if was_paid else None)
    if payment["type"] != "BILLING":
        books.announce_payment(payment)
    if payment["virtualAccount"] is not None:
        accounts.announce_deposit_state(books, payment)
        if was_paid:
            books.plan(now + REFUND_TRAVEL_S, "refund_arrives", held)
    return Answer(200, held.body)


def _cancel_part(
    payment: Json, request: tuple[int, int, str, Json], transaction: Transaction
) -> Json:
    """One entry of `Payment.cancels`; refundableAmount is what is left after it."""
    amount, tax_free, reason, body = request
    return {
        "transactionKey": transaction.key,
        "cancelReason": reason,
        "taxExemptionAmount": 0,
        "canceledAt": clock.stamp(transaction.at_s),
        "cardDiscountAmount": 0,
        "transferDiscountAmount": 0,
        "easyPayDiscountAmount": 0,
        "receiptKey": None,
        "cancelAmount": amount,
        "taxFreeAmount": tax_free,
        "refundableAmount": payment["balanceAmount"],
        "cancelStatus": "DONE",
        "cancelRequestId": body.get("cancelRequestId"),
    }


def _is_this_month(books: Books, payment: Json) -> bool:
    """A carrier's bill is closed with the month: a later cancel is not possible any more."""
    approved_at: str = payment["approvedAt"]
    return approved_at[:7] == clock.stamp(books.now())[:7]


def _found(books: Books, merchant: Merchant, payment_key: str) -> Held:
    held = books.find_payment(merchant, payment_key)
    if held is None:
        raise Refused("NOT_FOUND_PAYMENT")
    return held


def _approve(books: Books, merchant: Merchant, payment: Json, wish: Json) -> Answer:
    now = books.now()
    _set_method_part(payment, wish)
    transaction = Transaction(
        objects.new_transaction_key(), now, payment["totalAmount"], "DONE", payment["paymentKey"]
    )
    objects.approve(payment, now, transaction.key)
    payment["secret"] = accounts.new_secret()
    held = books.record_payment(merchant, payment, transaction=transaction)
    books.announce_payment(payment)
    books.counts["charges applied"] += 1
    return Answer(200, held.body)


def _set_method_part(payment: Json, wish: Json) -> None:
    amount, method = payment["totalAmount"], payment["method"]
    if method == objects.CARD:
        payment["card"] = _card_of(wish, amount)
    elif method == objects.TRANSFER:
        payment["transfer"] = objects.transfer_part(accounts.bank_code(wish.get("bank") or "88"))
    elif method == objects.MOBILE:
        payment["mobilePhone"] = {
            "customerMobilePhone": {"plain": "01000000000", "masking": "010****0000"},
            "settlementStatus": "INCOMPLETED",
            "receiptUrl": payment["checkout"]["url"],
        }
        payment["isPartialCancelable"] = False
    elif method in _GIFT_METHODS:
        payment["giftCertificate"] = {"approveNo": "00000000", "settlementStatus": "INCOMPLETED"}
    else:
        _set_wallet_parts(payment, wish)


def _check_wish(wish: Json, amount: int) -> None:
    money = fields.part_of_amount(wish, "walletMoney", amount)
    fields.part_of_amount(wish, "walletPoints", amount - money)
    objects.installment_months(wish, "installmentPlanMonths", amount)
    if wish.get("bank"):
        accounts.bank_code(wish["bank"])
    for name in ("provider", "bank", "carrier", "customerName", "cardNumber"):
        fields.optional_text(wish, name, most=100)


def _set_wallet_parts(payment: Json, wish: Json) -> None:
    """A wallet splits the sum: card in card.amount, money in easyPay.amount, points beside."""
    money, points = wish.get("walletMoney") or 0, wish.get("walletPoints") or 0
    by_card = payment["totalAmount"] - money - points
    if by_card > 0:
        payment["card"] = _card_of(wish, by_card)
    payment["easyPay"] = {
        "provider": wish.get("provider") or "토스페이",
        "amount": money,
        "discountAmount": points,
    }


def _card_of(wish: Json, amount: int) -> Json:
    number = re.sub(r"\D", "", str(wish.get("cardNumber") or "")) or None
    identity = objects.card_identity(number or str(wish.get("orderId")), number)
    return objects.card_part(identity, amount, wish.get("installmentPlanMonths") or 0)
