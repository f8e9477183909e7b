"""A refund before it is ordered: what goes back by each tender, of which items, and what is said.

The steps of the money are the plan that the act itself follows (payments.planning_refunds).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opsapp.customers.models import Customer
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db
from opsapp.kernel.money import Money
from opsapp.notifications import previewing
from opsapp.orders import finding_refunds as order_refunds, queries as orders
from opsapp.orders.models import OrderLeg, OrderLine
from opsapp.orders.spreading import LineRefund, spread
from opsapp.payments import finding_refunds
from opsapp.payments.planning_refunds import RefundPlan, RefundWish, preview_refund
from opsapp.points.queries import list_reservations


@dataclass(frozen=True, slots=True)
class Tender:
    """`kind`: money or points; points are counted in won."""

    kind: str
    refundable: Money
    goes_back: Money

    @property
    def left(self) -> Money:
        return self.refundable - self.goes_back


@dataclass(frozen=True, slots=True)
class Item:
    title: str
    goes_back: Money
    tax_free: Money  # the part of it on which no VAT was charged


@dataclass(frozen=True, slots=True)
class SeenRefund:
    """Money goes back first, points when no money is left."""

    plan: RefundPlan
    tenders: Sequence[Tender]
    items: Sequence[Item]  # empty for what is no order
    order_id: int | None
    message: str  # to the customer, as it will read; "" where it cannot be worded

    @property
    def tax_free(self) -> Money:
        parts = [item.tax_free.minor for item in self.items]
        return Money(sum(parts), self.plan.amount.currency)


@dataclass(frozen=True, slots=True)
class _Notice:
    """A notice that nobody has queued yet, as notifications.previewing reads one."""

    kind: str
    values: Mapping[str, Any]
    customer_name: str
    locale: str
    channel: str | None = None
    place: int = 0


def preview(payment_id: int, wish: RefundWish, *, by: Actor) -> SeenRefund:
    """Raises as refunding.request_refund does."""
    plan = preview_refund(payment_id, wish, by=by)
    payment = finding_refunds.get_payment(payment_id)
    leg = orders.list_legs_of_payments([payment_id]).get(payment_id)
    tenders = [Tender("money", payment.refundable, plan.amount)]
    items: list[Item] = []
    if leg is not None:
        lines = order_refunds.list_lines_of_leg(leg.id)
        left = {line.id: line.amount_minor - line.returned_minor for line in lines}
        parts = spread(min(plan.amount.minor, sum(left.values())), left)
        items = list_items(lines, parts, plan.amount.currency)
        tenders += _points(leg)
    return SeenRefund(
        plan=plan,
        tenders=tenders,
        items=items,
        order_id=leg.order_id if leg is not None else None,
        message=word_message(plan, payment.customer_id),
    )


def list_items(
    lines: Sequence[OrderLine], parts: Sequence[LineRefund], currency: str
) -> list[Item]:
    """What falls on each line; its tax-free part in the proportion of the line's own."""
    known = {line.id: line for line in lines}
    return [
        Item(
            known[part.line_id].title,
            Money(part.minor, currency),
            Money(
                part.minor * known[part.line_id].tax_free_minor // known[part.line_id].amount_minor,
                currency,
            ),
        )
        for part in parts
    ]


def word_message(plan: RefundPlan, customer_id: int) -> str:
    """What the customer will be told first: that the money is back, or to name an account."""
    customer = db.session.get_one(Customer, customer_id)
    values = {"amount_minor": plan.amount.minor, "currency": plan.amount.currency}
    if plan.limits.needs_account:
        notice = _Notice("refund_account_asked", values, customer.name, customer.locale)
    else:
        values_at = values | {"at": clock.now().isoformat()}
        notice = _Notice("refund_made", values_at, customer.name, customer.locale)
    message = previewing.show_masked(notice)
    return "" if message is None else message.text


def _points(leg: OrderLeg) -> list[Tender]:
    """They stay while money goes back: it goes first."""
    if leg.reservation_id is None:
        return []
    kept = list_reservations([leg.reservation_id])[leg.reservation_id]
    refundable = Money(kept.points - kept.restored, leg.currency)
    return [Tender("points", refundable, Money(0, leg.currency))]
