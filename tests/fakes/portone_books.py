"""What the PortOne double remembers of one merchant, and the rules of its payments.

Nothing here waits or speaks HTTP. Times are the double's own clock, which a test may move.
"""

import itertools
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.portone_payment import Clock, Payment, Refused, declined

PAID_STATES = ("PAID", "PARTIAL_CANCELLED")
SPENT_STATES = (*PAID_STATES, "CANCELLED", "VIRTUAL_ACCOUNT_ISSUED")
WEBHOOKS = {
    "READY": "Ready",
    "VIRTUAL_ACCOUNT_ISSUED": "VirtualAccountIssued",
    "PAID": "Paid",
    "FAILED": "Failed",
    "PARTIAL_CANCELLED": "PartialCancelled",
    "CANCELLED": "Cancelled",
}


@dataclass
class Merchant:
    """Whoever knows the secret. Tests that use secrets of their own never meet."""

    clock: Clock
    channels: dict[str, str] = field(default_factory=dict)  # channel key -> gateway behind it
    cancels_as: str = "SUCCEEDED"  # or REQUESTED, FAILED
    stores_errors: bool = False  # under an idempotency key
    webhook_url: str = ""
    webhook_secret: str = ""
    payments: dict[str, Payment] = field(default_factory=dict)
    registered: dict[str, tuple[int, str]] = field(default_factory=dict)
    billing_keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)  # idempotency
    charges: int = 0  # times that money was taken
    outbox: list[dict[str, Any]] = field(default_factory=list)  # webhooks, as they went out
    unsent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    # Payments

    def begin(self, payment_id: str, body: dict[str, Any]) -> Payment:
        """A payment in READY. A failed one may be tried again under the same name."""
        known = self.payments.get(payment_id)
        if known is not None and known.status in SPENT_STATES:
            raise Refused(409, "ALREADY_PAID")
        key = body.get("channelKey") or ""
        if self.channels and key and key not in self.channels:
            raise Refused(404, "CHANNEL_NOT_FOUND")
        total = (body.get("amount") or {}).get("total")
        title, currency = body.get("orderName"), body.get("currency")
        if type(total) is not int or total <= 0 or not title or not currency:
            raise Refused(400, "INVALID_REQUEST")
        customer = body.get("customer") or {}
        payment = Payment(
            id=payment_id,
            store_id=body.get("storeId") or "store-double",
            provider=self.channels.get(key, "KCP_V2"),
            channel_key=key or "channel-double",
            title=title,
            total=total,
            currency=currency,
            customer={
                "id": customer.get("id", "customer"),
                "name": (customer.get("name") or {}).get("full", ""),
            },
            requested_at=self.clock.text(),
        )
        self.payments[payment_id] = payment
        return payment

    def charge(self, payment_id: str, body: dict[str, Any]) -> dict[str, Any]:
        key = self.billing_keys.get(str(body.get("billingKey")))
        if key is None:
            raise Refused(404, "BILLING_KEY_NOT_FOUND")
        if key["status"] == "DELETED":
            raise Refused(409, "BILLING_KEY_ALREADY_DELETED")
        payment = self.begin(payment_id, body)
        payment.billing_key = body["billingKey"]
        payment.method = {
            "type": "PaymentMethodCard",
            "card": key["card"],
            "approvalNumber": f"{next(self._numbers):08}",
            "installment": {"month": body.get("installmentMonth", 0), "isInterestFree": False},
        }
        if key["pgCode"]:
            self.fail(payment, key["pgCode"])
            raise declined(key["pgCode"])
        self.settle(payment)
        return {"payment": {"pgTxId": payment.transaction_id[:12], "paidAt": payment.paid_at}}

    def settle(self, payment: Payment, *, paid: int | None = None) -> None:
        payment.paid = payment.total if paid is None else paid
        payment.paid_at = self.clock.text()
        self.charges += 1
        self.move(payment, "PAID")
        self.note(payment, payment.paid)

    def fail(self, payment: Payment, pg_code: str | None) -> None:
        payment.failure = {"reason": "거절"} | ({"pgCode": pg_code} if pg_code else {})
        self.move(payment, "FAILED")

    def move(self, payment: Payment, status: str, *, about: str | None = None) -> None:
        payment.status, payment.changed_at = status, self.clock.text()
        data = {
            "storeId": payment.store_id,
            "paymentId": payment.id,
            "transactionId": payment.transaction_id,
        }
        if about:
            data["cancellationId"] = about
        self.unsent.append((f"Transaction.{WEBHOOKS[status]}", data))

    def note(
        self, payment: Payment, amount: int, cancellation: dict[str, Any] | None = None
    ) -> None:
        """A row of the books that a reconciliation reads."""
        common = payment.as_object()
        kept = ("transactionId", "merchantId", "storeId", "channel", "version", "requestedAt")
        kept += ("orderName", "currency", "customer", "origin", "disputes")
        row = {name: common[name] for name in kept} | {
            "type": payment.status,
            "id": f"event-{secrets.token_hex(8)}",
            "paymentId": payment.id,
            "createdAt": self.clock.text(),
            "totalAmount": payment.amount(),
            "eventAmount": amount,
        }
        if cancellation:
            row["cancellation"] = cancellation
        self.events.append(row)

    def find(self, payment_id: str) -> Payment:
        if (payment := self.payments.get(payment_id)) is None:
            raise Refused(404, "PAYMENT_NOT_FOUND")
        return payment

    def cancel(self, payment_id: str, body: dict[str, Any]) -> dict[str, Any]:
        payment = self.find(payment_id)
        left = payment.amount()["paid"] - payment.cancelled
        if payment.status == "CANCELLED":
            raise Refused(409, "PAYMENT_ALREADY_CANCELLED")
        if left <= 0 or payment.status not in (*PAID_STATES, "VIRTUAL_ACCOUNT_ISSUED"):
            raise Refused(409, "PAYMENT_NOT_PAID")
        if not body.get("reason"):
            raise Refused(400, "INVALID_REQUEST")
        if body.get("currentCancellableAmount", left) != left:
            raise Refused(409, "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")
        amount = body.get("amount", left)
        if type(amount) is not int or amount <= 0:
            raise Refused(400, "INVALID_REQUEST")
        if amount > left:
            raise Refused(409, "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT")
        if payment.method_type == "PaymentMethodVirtualAccount" and not body.get("refundAccount"):
            raise Refused(400, "INVALID_REQUEST")
        cancellation = {
            "status": self.cancels_as,
            "id": f"cancellation-{secrets.token_hex(8)}",
            "totalAmount": amount,
            "taxFreeAmount": 0,
            "vatAmount": amount // 11,
            "reason": body["reason"],
            "requestedAt": self.clock.text(),
        }
        payment.cancellations.append(cancellation)
        self.finish_cancel(payment, cancellation)
        return {"cancellation": cancellation}

    def finish_cancel(self, payment: Payment, cancellation: dict[str, Any]) -> None:
        if cancellation["status"] != "SUCCEEDED":
            return
        cancellation["cancelledAt"] = self.clock.text()
        whole = payment.cancelled == payment.amount()["paid"]
        self.move(payment, "CANCELLED" if whole else "PARTIAL_CANCELLED", about=cancellation["id"])
        self.note(payment, -cancellation["totalAmount"], cancellation)

    # Virtual accounts

    def issue_account(self, payment_id: str, body: dict[str, Any]) -> dict[str, Any]:
        wish = (body.get("method") or {}).get("virtualAccount")
        if not wish or not wish.get("bank", "").isupper() or not body.get("channelKey"):
            raise Refused(400, "INVALID_REQUEST")
        payment = self.begin(payment_id, body)
        issued_at = self.clock.now()
        expiry = wish["expiry"]
        until = expiry.get("dueDate") or (
            issued_at + timedelta(hours=expiry["validHours"])
        ).isoformat().replace("+00:00", "Z")
        payment.method = {
            "type": "PaymentMethodVirtualAccount",
            "bank": wish["bank"],
            "accountNumber": f"X{next(self._numbers):013}",
            "accountType": "NORMAL",
            "expiredAt": until,
            "issuedAt": self.clock.text(),
        }
        self.move(payment, "VIRTUAL_ACCOUNT_ISSUED")
        return {"payment": {"pgTxId": payment.transaction_id[:12], "paidAt": self.clock.text()}}

    def close_account(self, payment_id: str) -> dict[str, Any]:
        payment = self.find(payment_id)
        if payment.status != "VIRTUAL_ACCOUNT_ISSUED" or payment.paid:
            raise Refused(409, "PAYMENT_NOT_WAITING_FOR_DEPOSIT")
        self.move(payment, "CANCELLED")
        return {"closedAt": payment.changed_at}

    def deposit(self, payment_id: str, amount: int, *, name: str, is_late: bool) -> None:
        """`is_late`: the bank lets it through although the account is expired or closed."""
        payment = self.find(payment_id)
        method = payment.method or {}
        is_open = payment.status == "VIRTUAL_ACCOUNT_ISSUED" or payment.paid_at
        is_over = datetime.fromisoformat(method["expiredAt"]) < self.clock.now()
        if (not is_open or is_over) and not is_late:
            raise Refused(409, "PAYMENT_NOT_WAITING_FOR_DEPOSIT")
        payment.paid += amount
        method["remitterName"] = name
        if payment.paid >= payment.total:
            self.settle(payment, paid=payment.paid)
        else:
            payment.changed_at = self.clock.text()

    def reverse_deposit(self, payment_id: str) -> None:
        """The bank takes the money back: the account waits again."""
        payment = self.find(payment_id)
        payment.paid, payment.paid_at = 0, None
        self.move(payment, "VIRTUAL_ACCOUNT_ISSUED")

    # Billing keys

    def add_billing_key(self, customer_id: str, pg_code: str = "") -> str:
        key = f"billing-key-{secrets.token_hex(16)}"
        self.billing_keys[key] = {
            "status": "ISSUED",
            "customer": customer_id,
            "pgCode": pg_code,
            "issuedAt": self.clock.text(),
            "card": {
                "publisher": "KOOKMIN_CARD",
                "issuer": "KOOKMIN_CARD",
                "brand": "LOCAL",
                "type": "CREDIT",
                "bin": "433012",
                "number": "43301234****1234",
            },
        }
        return key

    def show_billing_key(self, key: str) -> dict[str, Any]:
        if (known := self.billing_keys.get(key)) is None:
            raise Refused(404, "BILLING_KEY_NOT_FOUND")
        found = {
            "status": known["status"],
            "billingKey": key,
            "merchantId": "merchant-double",
            "storeId": "store-double",
            "methods": [{"type": "BillingKeyPaymentMethodCard", "card": known["card"]}],
            "channels": [{"type": "TEST", "pgProvider": "KCP_V2", "pgMerchantId": "T0000"}],
            "customer": {"id": known["customer"]},
            "issuedAt": known["issuedAt"],
        }
        return found | ({"deletedAt": known["deletedAt"]} if "deletedAt" in known else {})

    def delete_billing_key(self, key: str) -> dict[str, Any]:
        self.show_billing_key(key)
        known = self.billing_keys[key]
        if known["status"] == "DELETED":
            raise Refused(409, "BILLING_KEY_ALREADY_DELETED")
        known |= {"status": "DELETED", "deletedAt": self.clock.text()}
        self.unsent.append(("BillingKey.Deleted", {"storeId": "store-double", "billingKey": key}))
        return {"deletedAt": known["deletedAt"]}

    # Cash receipts

    def issue_receipt(self, body: dict[str, Any]) -> dict[str, Any]:
        payment_id, customer = str(body.get("paymentId")), body.get("customer") or {}
        known = self.receipts.get(payment_id)
        if known and known["status"] == "ISSUED":
            raise Refused(409, "CASH_RECEIPT_ALREADY_ISSUED")
        if body.get("type") not in ("PERSONAL", "CORPORATE") or not customer.get("identityNumber"):
            raise Refused(400, "INVALID_REQUEST")
        number = f"{next(self._numbers):09}"
        self.receipts[payment_id] = {
            "status": "ISSUED",
            "merchantId": "merchant-double",
            "storeId": "store-double",
            "paymentId": payment_id,
            "channel": {"type": "TEST", "pgProvider": "KCP_V2", "pgMerchantId": "T0000"},
            "amount": body["amount"]["total"],
            "taxFreeAmount": body["amount"].get("taxFree", 0),
            "currency": body["currency"],
            "orderName": body["orderName"],
            "isManual": True,
            "type": body["type"],
            "issueNumber": number,
            "url": f"https://receipt.invalid/cash/{number}",
            "issuedAt": self.clock.text(),
        }
        url = self.receipts[payment_id]["url"]
        return {"cashReceipt": {"issueNumber": number, "url": url, "pgReceiptId": f"pg{number}"}}

    def find_receipt(self, payment_id: str) -> dict[str, Any]:
        if (known := self.receipts.get(payment_id)) is None:
            raise Refused(404, "CASH_RECEIPT_NOT_FOUND")
        return known

    def cancel_receipt(self, payment_id: str) -> dict[str, Any]:
        known = self.find_receipt(payment_id)
        if known["status"] != "ISSUED":
            raise Refused(404, "CASH_RECEIPT_NOT_ISSUED")
        known |= {"status": "CANCELLED", "cancelledAt": self.clock.text()}
        return {"cancelledAmount": known["amount"], "cancelledAt": known["cancelledAt"]}
