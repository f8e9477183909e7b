"""Billing keys: issuing, charging, deleting.

Rules: an authKey works once; customerKey of a charge must be the key's own; a charge sends no
webhook; there is no call to read or renew a key (docs.tosspayments.com, billing).
"""

import hashlib
import re
import secrets
from typing import Any, Final

from sandbox import clock, fields, payment_object as objects
from sandbox.books import TAKEN_STATES, Books, Merchant, Transaction
from sandbox.call import Call
from sandbox.errors import CODES, Answer, ControlRefused, Refused, answer_of

Json = dict[str, Any]

# What a later charge answers once the card is in this state; accounts differ in one.
CARD_STATES: Final[dict[str, str | None]] = {
    "ok": None,
    "expired": "INVALID_CARD_EXPIRATION",
    "stopped": "INVALID_STOPPED_CARD",
    "lost": "INVALID_CARD_LOST_OR_STOLEN",
    "insufficient_funds": "REJECT_CARD_PAYMENT",
}
# At the window: the customer registers, and the shop's exchange of the authKey is refused.
REFUSED: Final = "refused"
_WINDOW_KEY: Final = re.compile(r"((?:card|transfer)\.w-([a-z_]+)-[0-9a-f]{16})-([0-9a-f]{32})")
_WALLETS: Final = ("토스페이", "카카오페이", "네이버페이")


def issue(books: Books, call: Call) -> Answer:
    """`POST /v1/billing/authorizations/issue`: exchange an authKey, once, for a billing key."""
    auth_key = fields.text(call.body, "authKey", most=300)
    customer_key = fields.customer_key(call.body)
    if auth_key in call.merchant.used_auth_keys:
        raise Refused("INVALID_BILLING_AUTH")
    state = _state_chosen(auth_key, call.merchant.id, customer_key)
    prefix = auth_key.partition(".")[0]
    subject = f"{call.merchant.id} {auth_key}"
    billing = _new_billing(books, call.merchant, customer_key)
    if prefix == "transfer":
        banks = tuple(objects.BANKS)
        bank = banks[objects.number_from(subject, len(banks))]
        billing["method"] = objects.TRANSFER
        billing["transfers"] = [
            {"bankName": objects.BANKS[bank], "bankAccountNumber": "1234********12"}
        ]
        return _keep(books, call.merchant, billing, auth_key=auth_key, bank=bank, state=state)
    wallet = _WALLETS[objects.number_from(subject, len(_WALLETS))] if prefix == "easy_pay" else None
    _set_card(billing, objects.card_identity(subject))
    if wallet is not None:
        billing["method"] = objects.EASY_PAY
        billing["easyPay"] = {"provider": wallet}
    return _keep(books, call.merchant, billing, auth_key=auth_key, wallet=wallet, state=state)


def issue_from_card(books: Books, call: Call) -> Answer:
    """`POST /v1/billing/authorizations/card`: a key from a card number, which is not kept."""
    body = call.body
    customer_key = fields.customer_key(body)
    number = str(body.get("cardNumber") or "").replace("-", "")
    if not re.fullmatch(r"\d{13,20}", number):
        raise Refused("INVALID_CARD_NUMBER")
    year, month = str(body.get("cardExpirationYear") or ""), str(body.get("cardExpirationMonth"))
    if not re.fullmatch(r"\d{2}", year) or not re.fullmatch(r"0[1-9]|1[0-2]", month):
        raise Refused("INVALID_CARD_EXPIRATION")
    today = clock.day_of(books.now())
    if (2000 + int(year), int(month)) < (today.year, today.month):
        raise Refused("INVALID_CARD_EXPIRATION")
    if not re.fullmatch(r"\d{6}|\d{10}", str(body.get("customerIdentityNumber") or "")):
        raise Refused("INVALID_BIRTH_DAY_FORMAT")
    password = body.get("cardPassword")
    if password is not None and not re.fullmatch(r"\d{2}", str(password)):
        raise Refused("INVALID_CARD_PASSWORD")
    fields.check_contact(body)
    billing = _new_billing(books, call.merchant, customer_key)
    _set_card(billing, objects.card_identity(number[:8], number))
    return _keep(books, call.merchant, billing, auth_key=None)


def charge(books: Books, call: Call) -> Answer:
    """`POST /v1/billing/{billingKey}`: charge the key; the answer is a Payment of type BILLING."""
    merchant, body = call.merchant, call.body
    key = _usable_key(merchant, call.arguments[0])
    if fields.customer_key(body) != key["billing"]["customerKey"]:
        raise Refused("NOT_MATCHES_CUSTOMER_KEY")
    is_account = key["bank"] is not None
    least = objects.LEAST_ACCOUNT_AMOUNT if is_account else objects.LEAST_CARD_AMOUNT
    payment = _requested(books, merchant, body, fields.amount(body, least=least))
    order_id: str = payment["orderId"]
    months = objects.installment_months(body, "cardInstallmentPlan", payment["totalAmount"])
    before = merchant.orders.get(order_id)
    if before is not None and before.status in TAKEN_STATES:
        raise Refused("DUPLICATED_ORDER_ID")
    payment["method"] = key["billing"]["method"]
    customer_key = key["billing"]["customerKey"]
    code = _card_decline(key) or decline_drawn(books, merchant, order_id)
    if code is not None:
        objects.fail(payment, "ABORTED", code, CODES[code].message)
        books.record_payment(merchant, payment, customer_key=customer_key)
        raise Refused(code)
    if is_account:
        payment["transfer"] = objects.transfer_part(key["bank"])
    else:
        payment["card"] = objects.card_part(key["card"], payment["totalAmount"], months)
    if key["wallet"] is not None:
        payment["easyPay"] = {"provider": key["wallet"], "amount": 0, "discountAmount": 0}
    now = books.now()
    transaction = Transaction(
        objects.new_transaction_key(),
        now,
        payment["totalAmount"],
        "DONE",
        payment["paymentKey"],
    )
    objects.approve(payment, now, transaction.key)
    held = books.record_payment(
        merchant, payment, customer_key=customer_key, transaction=transaction
    )
    books.counts["charges applied"] += 1
    return Answer(200, held.body)


def delete(books: Books, call: Call) -> Answer:
    """`DELETE /v1/billing/{billingKey}`: 200, empty body, webhook BILLING_DELETED."""
    key = _usable_key(call.merchant, call.arguments[0])
    books.record_billing(call.merchant, key | {"deleted": True})
    books.announce(
        {
            "eventType": "BILLING_DELETED",
            "createdAt": clock.webhook_stamp(books.now()),
            "data": {"billingKey": key["billing"]["billingKey"], "reason": None},
        }
    )
    return Answer(200, b"")


def set_card_state(books: Books, billing_key: str, state: Any) -> Answer:
    """`POST /_sandbox/cards/{billingKey}`: later charges decline with the state's code."""
    if not isinstance(state, str) or state not in CARD_STATES:
        raise ControlRefused(f"state must be one of {', '.join(CARD_STATES)}.")
    for merchant in books.merchants.values():
        key = merchant.billing_keys.get(billing_key)
        if key is not None:
            books.record_billing(merchant, key | {"state": state})
            return answer_of({"billingKey": billing_key, "state": state})
    raise ControlRefused("No merchant has this billing key.", 404)


def decline_drawn(books: Books, merchant: Merchant, order_id: str) -> str | None:
    """The decline the fault profile draws for an order; only its first attempt is drawn."""
    if order_id in merchant.declined_orders:
        return None
    return books.faults.decline(order_id)


def seal_of(told: str, merchant_id: str, customer_key: str) -> str:
    """What ties an authKey of the window to its merchant and customer."""
    return hashlib.sha256(f"{merchant_id}|{customer_key}|{told}".encode()).hexdigest()[:32]


def _state_chosen(auth_key: str, merchant_id: str, customer_key: str) -> str:
    """What the customer chose at the window; keys from elsewhere are taken as they are."""
    found = _WINDOW_KEY.fullmatch(auth_key)
    if found is None:
        return "ok"
    if found[3] != seal_of(found[1], merchant_id, customer_key):
        raise Refused("INVALID_BILLING_AUTH")
    if found[2] == REFUSED:
        raise Refused("INVALID_STOPPED_CARD")
    return found[2]


def _requested(books: Books, merchant: Merchant, body: Json, amount: int) -> Json:
    order_id, order_name = fields.order_id(body), fields.order_name(body)
    fields.check_contact(body)
    now = books.now()
    payment = objects.new_payment(
        merchant.id,
        payment_key=objects.new_payment_key(merchant.id, now),
        order_id=order_id,
        order_name=order_name,
        kind="BILLING",
        amount=amount,
        tax_free=fields.part_of_amount(body, "taxFreeAmount", amount),
        tax_exemption=fields.part_of_amount(body, "taxExemptionAmount", amount),
        requested_at_s=now,
    )
    payment["metadata"] = fields.metadata(body)
    return payment


def _usable_key(merchant: Merchant, billing_key: str) -> Json:
    key = merchant.billing_keys.get(billing_key)
    if key is None:
        raise Refused("NOT_FOUND_BILLING")
    if key["deleted"]:
        raise Refused("ALREADY_REMOVED_BILLING_KEY")
    return key


def _card_decline(key: Json) -> str | None:
    code = CARD_STATES[key["state"]]
    if code == "REJECT_CARD_PAYMENT" and key["bank"] is not None:
        return "REJECT_ACCOUNT_PAYMENT"
    return code


def _new_billing(books: Books, merchant: Merchant, customer_key: str) -> Json:
    return {
        "mId": merchant.id,
        "customerKey": customer_key,
        "authenticatedAt": clock.stamp(books.now()),
        "method": objects.CARD,
        "billingKey": secrets.token_urlsafe(32),
        "cardCompany": None,
        "cardNumber": None,
        "card": None,
        "transfers": None,
    }


def _set_card(billing: Json, identity: Json) -> None:
    billing["card"] = identity
    billing["cardCompany"] = objects.ISSUERS[identity["issuerCode"]][0]
    billing["cardNumber"] = identity["number"]


def _keep(
    books: Books,
    merchant: Merchant,
    billing: Json,
    *,
    auth_key: str | None,
    bank: str | None = None,
    wallet: str | None = None,
    state: str = "ok",
) -> Answer:
    record: Json = {
        "billing": billing,
        "card": billing["card"],
        "bank": bank,
        "wallet": wallet,
        "auth_key": auth_key,
        "state": state,
        "deleted": False,
    }
    books.record_billing(merchant, record)
    return answer_of(billing)
