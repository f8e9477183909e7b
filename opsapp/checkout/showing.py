"""Showing: all that a shopper's page tells about one payment link."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opsapp.checkout import queries, rules
from opsapp.checkout.queries import Progress
from opsapp.checkout.rules import Stage
from opsapp.customers.queries import get_customer
from opsapp.kernel import clock
from opsapp.kernel.crypto import unseal
from opsapp.kernel.money import Money
from opsapp.payments.recording import account_context
from opsapp.routing.choosing import list_offers


@dataclass(frozen=True, slots=True)
class DepositAccount:
    """Where to pay in; the number is for its owner's eyes, behind their own link."""

    bank: str
    number: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Try:
    """The latest attempt, as far as its shopper may see it."""

    gateway_name: str
    status: str
    method_kind: str
    failure_code: str | None
    approval_number: str | None
    receipt_url: str | None
    paid_with: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Picture:
    checkout_id: int
    customer_id: int
    payment_id: int | None
    title: str
    amount: Money
    refunded: Money
    expires_at: datetime
    stage: Stage
    locale: str  # the customer's
    latest: Try | None
    account: DepositAccount | None


def picture(checkout_id: int) -> Picture:
    """Raises NotFound."""
    progress = queries.get_progress(checkout_id)
    checkout, payment, attempt = progress.checkout, progress.payment, progress.attempt
    stage = _stage(progress)
    account = _account(attempt) if stage is Stage.DEPOSIT and attempt is not None else None
    refunded_minor = payment.refunded_minor if payment is not None else 0
    return Picture(
        checkout_id=checkout.id,
        customer_id=checkout.customer_id,
        payment_id=checkout.payment_id,
        title=checkout.title,
        amount=checkout.amount,
        refunded=Money(refunded_minor, checkout.currency),
        expires_at=checkout.expires_at,
        # A deposit that the bank has taken back waits for its account to be read again.
        stage=Stage.CHECKING if stage is Stage.DEPOSIT and account is None else stage,
        locale=get_customer(checkout.customer_id).locale,
        latest=_try(attempt) if attempt is not None else None,
        account=account,
    )


def offers(amount: Money) -> list[str]:
    """The kinds of method that the shopper may choose from now."""
    return list_offers(amount)


def _stage(progress: Progress) -> Stage:
    return rules.stage_of(
        progress.checkout.status,
        is_over=progress.checkout.expires_at <= clock.now(),
        payment_status=progress.payment.status if progress.payment else None,
        attempt_status=progress.attempt.status if progress.attempt else None,
    )


def _try(attempt: Any) -> Try:
    return Try(
        attempt.gateway_name,
        attempt.status,
        attempt.method_kind,
        attempt.failure_code,
        attempt.approval_number,
        attempt.receipt_url,
        attempt.paid_with,
    )


def _account(attempt: Any) -> DepositAccount | None:
    sealed, due_at = attempt.account_sealed, attempt.deposit_due_at
    if sealed is None or due_at is None or attempt.account is None:
        return None
    number = json.loads(unseal(sealed, context=account_context(attempt.idempotency_key)))["number"]
    return DepositAccount(attempt.account["bank"], number, due_at)
