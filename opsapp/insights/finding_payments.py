"""Payments by each of their names: each arm of the union is one index look-up."""

import re
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, union

from opsapp.cash_receipts.models import CashReceipt
from opsapp.customers.models import PaymentMethod
from opsapp.insights.finding_people import (
    PEOPLE_MAX,
    Typed,
    is_one_of,
    people_like,
    read_typed,
)
from opsapp.kernel.masking import mask_name
from opsapp.orders.models import Order, OrderLeg
from opsapp.payments.models import Attempt, Deposit, Payment
from opsapp.subscriptions.models import Subscription

# A card number as typed or as printed with stars: the first six and the last four are kept of it.
_CARD = re.compile(r"([0-9]{6})[0-9*xX]{3,9}([0-9]{3}[0-9*])")
DEPOSITS_MAX = 200


def is_like(search: str) -> ColumnElement[bool]:
    """Whether a payment is what a list's search box is about."""
    return or_(*ways_to_be_meant(search))


def ways_to_be_meant(search: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """By whose it is, and by a name of its own; each is answered out of one index.

    Two arrays and not one set of ids: the payments of hundreds of people are then read in the
    order in which they lie, not one by one.
    """
    typed = read_typed(search)
    arms = [
        *payment_arms(typed, limit=PEOPLE_MAX),
        select(OrderLeg.payment_id)
        .join(Order, Order.id == OrderLeg.order_id)
        .where(Order.order_ref == typed.text, OrderLeg.payment_id.is_not(None)),
    ]
    if typed.is_word:
        subscription = select(Subscription.id).where(Subscription.ref == typed.text)
        arms.append(
            select(Payment.id).where(
                Payment.subject_type == "subscription", Payment.subject_id.in_(subscription)
            )
        )
    if typed.name:
        arms.append(select(Deposit.payment_id).where(is_depositor(typed)).limit(DEPOSITS_MAX))
    named = union(*arms).subquery()
    return (
        is_one_of(Payment.customer_id, people_like(search)),
        is_one_of(Payment.id, select(named.c[0])),
    )


def payment_arms(typed: Typed, *, limit: int) -> list[Select[Any]]:
    """By the names that are a payment's own; the exact ones first."""
    text = typed.text
    arms: list[Select[Any]] = []
    if typed.is_word:
        arms += [
            select(Payment.id).where(Payment.ref == text),
            select(Payment.id).where(Payment.approval_number == text).limit(limit),
            select(Attempt.payment_id).where(Attempt.gateway_order_id == text),
            select(Attempt.payment_id).where(Attempt.gateway_key == text),
            select(CashReceipt.payment_id).where(CashReceipt.ref == text),
            select(CashReceipt.payment_id).where(CashReceipt.issue_number == text).limit(limit),
        ]
    if typed.row_id is not None:
        arms.append(select(Payment.id).where(Payment.id == typed.row_id))
    if (card := is_card(typed)) is not None:
        # Thousands begin with the same six digits.
        held = select(PaymentMethod.id).where(card).limit(limit)
        owners = select(PaymentMethod.customer_id).where(card).limit(limit)
        arms.append(
            select(Attempt.payment_id)
            .join(Payment, Payment.id == Attempt.payment_id)
            .where(Payment.customer_id.in_(owners), Attempt.payment_method_id.in_(held))
            .limit(limit)
        )
    return arms


def is_card(typed: Typed) -> ColumnElement[bool] | None:
    """First six or last four digits, or both in a whole number; None for what is neither."""
    if typed.is_number and len(typed.text) == 4:
        return _ends_in(typed.text)
    if typed.is_number and len(typed.text) == 6:
        return PaymentMethod.first6 == typed.text
    whole = _CARD.fullmatch(re.sub(r"[- ]", "", typed.text))
    return and_(_ends_in(whole[2]), PaymentMethod.first6 == whole[1]) if whole else None


def is_depositor(typed: Typed) -> ColumnElement[bool]:
    """A bank's depositor is kept masked, so a whole name finds every one that is masked alike."""
    return Deposit.depositor.in_({mask_name(typed.text), typed.text})


def _ends_in(last4: str) -> ColumnElement[bool]:
    """Some card companies hide the last digit too: 1234 is then kept as 123*."""
    return PaymentMethod.last4.in_([last4, f"{last4[:3]}*"])
