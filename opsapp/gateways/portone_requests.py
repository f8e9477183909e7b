"""What is sent to PortOne V2: the fields of its requests, made of plain values."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from opsapp.gateways.portone_names import BANKS, LOCALES, PAY_METHODS, Channel
from opsapp.gateways.values import (
    CashReceiptRequest,
    ChargeBody,
    Flow,
    RefundRequest,
    WindowRequest,
)

TITLE_LENGTH_MAX = 100
REASON_LENGTH_MAX = 200
ACCOUNT_BANK = "20"  # Woori; the contract of the channel names the banks it may use
ACCOUNT_LIFE = timedelta(hours=168)
_RECEIPT_TYPES = {"income_deduction": "PERSONAL", "expense_proof": "CORPORATE"}


def charge_fields(charge: ChargeBody, channel: Channel | None) -> dict[str, Any]:
    """Of `billing-key` (which lacks its billing key still) and of `instant`."""
    fields: dict[str, Any] = {
        **({"channelKey": channel.key} if channel else {}),
        "orderName": charge.title[:TITLE_LENGTH_MAX],
        "customer": {
            "id": charge.customer_key,
            "name": {"full": charge.customer_name[:TITLE_LENGTH_MAX]},
        },
        "amount": {"total": charge.amount.minor},
        "currency": charge.amount.currency,
    }
    if charge.flow is Flow.ACCOUNT:
        hours = (charge.account_life or ACCOUNT_LIFE) // timedelta(hours=1)
        account = {
            # A code that PortOne has no word for is sent as it is, and refused there.
            "bank": BANKS.get(charge.bank or ACCOUNT_BANK, charge.bank),
            "expiry": {"validHours": hours},
            "option": {"type": "NORMAL"},
        }
        fields["method"] = {"virtualAccount": account}
    return fields


def cancel_fields(request: RefundRequest) -> dict[str, Any]:
    """Raises KeyError for a bank that PortOne has no word for."""
    fields: dict[str, Any] = {
        "amount": request.amount.minor,
        "reason": request.reason[:REASON_LENGTH_MAX],
        "requester": "ADMIN",
        "currentCancellableAmount": request.refundable_before.minor,
    }
    if (account := request.account) is not None:
        fields["refundAccount"] = {
            "bank": BANKS[account.bank],
            "number": account.number,
            "holderName": account.holder,
        }
    return fields


def window_fields(request: WindowRequest, channel: Channel) -> dict[str, Any]:
    """The argument of `PortOne.requestPayment`, and the two addresses for its result."""
    return {
        "channelKey": channel.key,
        "paymentId": request.gateway_order_id,
        "orderName": request.title[:TITLE_LENGTH_MAX],
        "totalAmount": request.amount.minor,
        "currency": request.amount.currency,
        "payMethod": PAY_METHODS[request.method_kind],
        "customer": {
            "customerId": request.customer_key,
            "fullName": request.customer_name[:TITLE_LENGTH_MAX],
            "email": request.customer_email,
        },
        "locale": LOCALES.get(request.locale, "KO_KR"),
        "redirectUrl": request.success_url,
        "successUrl": request.success_url,
        "failUrl": request.fail_url,
    }


def receipt_fields(request: CashReceiptRequest, channel: Channel) -> Mapping[str, Any]:
    return {
        "paymentId": request.gateway_order_id,
        "channelKey": channel.key,
        "type": _RECEIPT_TYPES[request.kind],
        "orderName": request.title[:TITLE_LENGTH_MAX],
        "currency": request.amount.currency,
        "amount": {"total": request.amount.minor, "taxFree": request.tax_free.minor},
        "customer": {"identityNumber": request.registration},
    }
