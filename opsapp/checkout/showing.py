"""Showing: all that a shopper's page tells about one payment link."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from opsapp.checkout import keeping, pricing, queries, rules
from opsapp.checkout.models import Checkout
from opsapp.checkout.pricing import Quote
from opsapp.checkout.rules import Stage
from opsapp.customers.queries import get_customer
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.crypto import unseal
from opsapp.kernel.money import Money
from opsapp.orders.queries import LegPicture, OrderPicture
from opsapp.orders.rules import SETTLED, LegState
from opsapp.payments.recording import account_context
from opsapp.points.queries import find_balance
from opsapp.settings import current

# Of these legs the shopper may say how they are paid.
CHOOSABLE = (LegState.FAILED, LegState.UNPAID, LegState.AT_WINDOW)


@dataclass(frozen=True, slots=True)
class DepositAccount:
    """Where to pay in; the number is for its owner's eyes, behind their own link."""

    bank: str
    number: str
    due_at: datetime
    amount: Money


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
class ShownLeg:
    """What was charged together, or could not be."""

    kind: str
    titles: tuple[str, ...]
    state: str
    next_step: str
    amount: Money  # points within it
    points: int
    money: Money
    refunded: Money
    payment_id: int | None
    latest: Try | None
    account: DepositAccount | None
    next_at: datetime | None  # when it is tried again by itself
    next_on: date | None  # of the subscription's next charge


@dataclass(frozen=True, slots=True)
class Picture:
    """`points`: what the customer has; `most_points`: how many may pay here, none once placed.

    `placed_points` are set aside for what is not paid yet.
    """

    checkout_id: int
    customer_id: int
    order_id: int | None
    title: str
    quote: Quote
    now: Money  # what is to be chosen for, points not taken off
    expires_at: datetime
    stage: Stage
    locale: str  # the customer's
    legs: tuple[ShownLeg, ...]
    points: int
    most_points: int
    placed_points: int
    return_url: str | None

    @property
    def amount(self) -> Money:
        return self.quote.now

    @property
    def payment_id(self) -> int | None:
        """Of the first leg that has one; what is bought once comes first."""
        return next((leg.payment_id for leg in self.legs if leg.payment_id is not None), None)

    @property
    def latest(self) -> Try | None:
        """Of the leg that the page is about: one that is not settled, or the first."""
        tried = [leg for leg in self.legs if leg.latest is not None]
        open_ones = [leg for leg in tried if leg.state in CHOOSABLE]
        return next((leg.latest for leg in (*open_ones, *tried)), None)

    @property
    def account(self) -> DepositAccount | None:
        return next((leg.account for leg in self.legs if leg.account is not None), None)

    @property
    def refunded(self) -> Money:
        return Money(sum(leg.refunded.minor for leg in self.legs), self.quote.currency)

    @property
    def is_partly_paid(self) -> bool:
        return any(leg.state in SETTLED for leg in self.legs)


def picture(checkout_id: int) -> Picture:
    """Raises NotFound."""
    progress = queries.get_progress(checkout_id)
    checkout, order = progress.checkout, progress.order
    quote = _quote(checkout, order)
    legs = tuple(_leg(leg, order, quote) for leg in order.legs) if order else ()
    choosable = [leg for leg in legs if leg.state in CHOOSABLE]
    balance = find_balance(checkout.customer_id).available if _takes_points(checkout) else 0
    return Picture(
        checkout_id=checkout.id,
        customer_id=checkout.customer_id,
        order_id=checkout.order_id,
        title=checkout.title,
        quote=quote,
        now=_sum(choosable, checkout.currency) if order else quote.now,
        expires_at=checkout.expires_at,
        stage=_stage(checkout, legs),
        locale=get_customer(checkout.customer_id).locale,
        legs=legs,
        points=balance,
        most_points=0 if order else min(balance, quote.one_off.minor),
        placed_points=sum(leg.points for leg in choosable),
        return_url=_return_url(checkout),
    )


def _takes_points(checkout: Checkout) -> bool:
    return checkout.points_allowed and checkout.currency == "KRW"


def _sum(legs: Sequence[ShownLeg], currency: str) -> Money:
    return Money(sum(leg.amount.minor for leg in legs), currency)


def _quote(checkout: Checkout, order: OrderPicture | None) -> Quote:
    """What was ordered keeps its prices, whatever its plan costs by now."""
    today = seoul_date(order.order.placed_at if order else clock.now())
    quote = pricing.price(keeping.lines_of(checkout), today=today)
    if order is None:
        return quote
    owed = {line.number - 1: line for line in order.lines}
    recurring = [
        replace(
            each,
            amount=Money(line.unit_price_minor * line.quantity, quote.currency),
            now=Money(line.amount_minor, quote.currency),
        )
        for each in quote.recurring
        if (line := owed.get(each.place)) is not None
    ]
    return replace(quote, recurring=tuple(recurring))


def _stage(checkout: Checkout, legs: Sequence[ShownLeg]) -> Stage:
    is_over = checkout.expires_at <= clock.now()
    states = [LegState(leg.state) for leg in legs]
    stage = rules.stage_of(checkout.status, is_over=is_over, legs=states)
    # A deposit that the bank has taken back waits for its account to be read again.
    has_account = any(leg.account is not None for leg in legs)
    return Stage.CHECKING if stage is Stage.DEPOSIT and not has_account else stage


def _leg(shown: LegPicture, order: OrderPicture, quote: Quote) -> ShownLeg:
    leg, payment, attempt = shown.leg, shown.payment, shown.attempt
    lines = [line for line in order.lines if line.leg_id == leg.id]
    places = {line.number - 1 for line in lines}
    is_waiting = attempt is not None and shown.state is LegState.AWAITING_DEPOSIT
    return ShownLeg(
        kind=leg.kind,
        titles=tuple(line.title for line in lines),
        state=shown.state.value,
        next_step=str(shown.next_step),
        amount=leg.amount,
        points=leg.points,
        money=leg.money,
        refunded=Money(payment.refunded_minor if payment is not None else 0, leg.currency),
        payment_id=leg.payment_id,
        latest=_try(attempt) if attempt is not None else None,
        account=_account(attempt, leg.money) if is_waiting else None,
        next_at=shown.next_at,
        next_on=next(
            (each.next_on[0] for each in quote.recurring if each.place in places and each.next_on),
            None,
        ),
    )


def _return_url(checkout: Checkout) -> str | None:
    """What was a page of the shop when the link was opened may be none any more."""
    if checkout.return_url is None or not rules.is_page_of_shop(
        checkout.return_url,
        origins=current().shop_origins.split(","),
        allows_loopback=current().mode != "production",
    ):
        return None
    return checkout.return_url


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


def _account(attempt: Any, amount: Money) -> DepositAccount | None:
    sealed, due_at = attempt.account_sealed, attempt.deposit_due_at
    if sealed is None or due_at is None or attempt.account is None:
        return None
    number = json.loads(unseal(sealed, context=account_context(attempt.idempotency_key)))["number"]
    return DepositAccount(attempt.account["bank"], number, due_at, amount)
