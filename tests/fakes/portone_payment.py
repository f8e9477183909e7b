"""A payment as the PortOne double keeps and shows it, its clock, and its refusals."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


class Refused(Exception):
    """An error answer: {type, message} and what else belongs to the type."""

    def __init__(self, status: int, kind: str, **more: Any) -> None:
        super().__init__(kind)
        self.status = status
        self.body = {"type": kind, "message": kind.replace("_", " ").lower(), **more}


def declined(pg_code: str) -> Refused:
    return Refused(502, "PG_PROVIDER", pgCode=pg_code, pgMessage=f"거절되었습니다 ({pg_code})")


class Clock:
    offset_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset_s)

    def text(self) -> str:
        return self.now().isoformat().replace("+00:00", "Z")


@dataclass
class Payment:
    id: str
    store_id: str
    provider: str
    channel_key: str
    title: str
    total: int
    currency: str
    customer: dict[str, Any]
    requested_at: str
    method: dict[str, Any] | None = None
    status: str = "READY"
    paid: int = 0
    transaction_id: str = field(default_factory=lambda: secrets.token_hex(16))
    billing_key: str | None = None
    changed_at: str = ""
    paid_at: str | None = None
    failure: dict[str, str] | None = None
    cancellations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cancelled(self) -> int:
        return sum(c["totalAmount"] for c in self.cancellations if c["status"] != "FAILED")

    def as_object(self) -> dict[str, Any]:
        """With every field that the vendor's schema demands."""
        found: dict[str, Any] = {
            "status": self.status,
            "id": self.id,
            "transactionId": self.transaction_id,
            "merchantId": "merchant-double",
            "storeId": self.store_id,
            "channel": self.channel(),
            "version": "V2",
            "requestedAt": self.requested_at,
            "updatedAt": self.changed_at or self.requested_at,
            "statusChangedAt": self.changed_at or self.requested_at,
            "orderName": self.title,
            "amount": self.amount(),
            "currency": self.currency,
            "customer": self.customer,
            "origin": {"platformType": "API", "ipAddress": "127.0.0.1"},
            "disputes": [],
        }
        optional = {
            "method": self.method,
            "billingKey": self.billing_key,
            "paidAt": self.paid_at,
            "pgTxId": self.transaction_id[:12] if self.paid_at else None,
            "receiptUrl": f"https://receipt.invalid/{self.id}" if self.paid_at else None,
            "cancellations": self.cancellations or None,
            "cancelledAt": self.changed_at if self.cancellations else None,
        }
        found |= {name: value for name, value in optional.items() if value is not None}
        if self.status == "CANCELLED":
            found |= {"cancellations": self.cancellations, "cancelledAt": self.changed_at}
        if self.status == "FAILED":
            found |= {"failedAt": self.changed_at, "failure": self.failure or {}}
        return found

    def channel(self) -> dict[str, Any]:
        return {
            "type": "TEST",
            "key": self.channel_key,
            "pgProvider": self.provider,
            "pgMerchantId": "T0000",
        }

    def amount(self) -> dict[str, int]:
        shown = self.paid if self.method_type == "PaymentMethodVirtualAccount" else self.total
        return {
            "total": self.total,
            "taxFree": 0,
            "discount": 0,
            "paid": shown if self.paid_at or self.paid else 0,
            "cancelled": self.cancelled,
            "cancelledTaxFree": 0,
        }

    @property
    def method_type(self) -> str:
        return str((self.method or {}).get("type", ""))
