"""All that one customer's page shows: the case, the money, what they have. Each one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, case, cast, func, literal, null, or_, select, true, union_all

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.insights import listing_people, listing_recoveries
from opsapp.insights.listing_payments import COLUMNS
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.money import Money
from opsapp.orders.models import Order
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.points.models import PointAccount, PointLot
from opsapp.points.queries import Balance
from opsapp.points.rules import EXPIRING_SHOWN, end_of_fresh, last_day_of
from opsapp.recovery.queries import InForce, list_policies_by_id
from opsapp.subscriptions.models import Subscription
from opsapp.tickets.models import Ticket

SHOWN_MAX = 10
UNCERTAIN = (AttemptStatus.UNKNOWN.value, AttemptStatus.NEEDS_HUMAN.value)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """`unpaid`: what was declined and nobody has given up or collected yet."""

    paid: Money
    refunded: Money
    unpaid: Money


@dataclass(frozen=True, slots=True)
class CustomerPicture:
    """`things`: orders and tickets, each kind the newest first."""

    customer: Customer
    points: Balance
    lifetime: Sequence[Lifetime]
    methods: Sequence[PaymentMethod]
    subscriptions: Sequence[Any]
    cases: Sequence[Any]
    policies: dict[int, InForce]
    payments: Sequence[Any]
    things: Sequence[Any]

    @property
    def orders(self) -> list[Any]:
        return [thing for thing in self.things if thing.kind == "order"]

    @property
    def tickets(self) -> list[Any]:
        return [thing for thing in self.things if thing.kind == "ticket"]

    @property
    def uncertain(self) -> list[Any]:
        """Payments whose outcome nobody knows: they must not be charged again."""
        return [row for row in self.payments if row.is_uncertain]

    @property
    def stray(self) -> list[Any]:
        """Failed payments that no recovery follows: an order's, which its link collects."""
        of_cases = {row.payment_id for row in self.cases}
        failed = PaymentStatus.FAILED.value
        return [
            row
            for row in self.payments
            if row.status == failed and not row.is_uncertain and row.id not in of_cases
        ]


def get_picture(customer_id: int, now: datetime) -> CustomerPicture:
    """Raises NotFound."""
    customer, points = _customer(customer_id, now)
    cases = listing_recoveries.list_cases(customer_id, now)
    return CustomerPicture(
        customer=customer,
        points=points,
        lifetime=_lifetime(customer_id),
        methods=listing_people.list_methods(customer_id),
        subscriptions=_subscriptions(customer_id),
        cases=cases,
        policies=list_policies_by_id([row.policy_id for row in cases]) if cases else {},
        payments=_payments(customer_id),
        things=_things(customer_id),
    )


def _customer(customer_id: int, now: datetime) -> tuple[Customer, Balance]:
    """With what points.queries.find_balance would tell, of the day that comes first."""
    mine = (PointLot.customer_id == customer_id, PointLot.remaining > 0)
    soon = end_of_fresh(EXPIRING_SHOWN, now)
    gone = select(func.coalesce(func.sum(PointLot.remaining), 0)).where(
        *mine, PointLot.expires_at <= now
    )
    first = (
        select(PointLot.expires_at, func.sum(PointLot.remaining).label("points"))
        .where(
            *mine,
            PointLot.expires_at > now,
            PointLot.expires_at <= soon,
        )
        .group_by(PointLot.expires_at)
        .order_by(PointLot.expires_at)
        .limit(1)
        .lateral("first")
    )
    found = db.session.execute(
        select(
            Customer,
            PointAccount.available,
            PointAccount.reserved,
            gone.scalar_subquery().label("gone"),
            first.c.expires_at,
            first.c.points,
        )
        .outerjoin(PointAccount, PointAccount.customer_id == Customer.id)
        .outerjoin(first, true())
        .where(Customer.id == customer_id)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="customer", id=customer_id)
    if found.available is None:
        return found[0], Balance()
    expiring = ((last_day_of(found.expires_at), int(found.points)),) if found.points else ()
    return found[0], Balance(found.available - int(found.gone), found.reserved, expiring)


def _lifetime(customer_id: int) -> list[Lifetime]:
    """By currency, won first."""
    is_unpaid = or_(
        Payment.status == PaymentStatus.FAILED.value,
        # Declined, and another try is planned.
        and_(Payment.status == PaymentStatus.PENDING.value, Payment.failure_class.is_not(None)),
    )
    rows = db.session.execute(
        select(
            Payment.currency,
            func.sum(Payment.captured_minor),
            func.sum(Payment.refunded_minor),
            func.coalesce(func.sum(Payment.amount_minor).filter(is_unpaid), 0),
        )
        .where(Payment.customer_id == customer_id)
        .group_by(Payment.currency)
        .order_by(case((Payment.currency == "KRW", 0), else_=1), Payment.currency)
    )
    return [Lifetime(*(Money(int(minor), currency) for minor in sums)) for currency, *sums in rows]


def _subscriptions(customer_id: int) -> list[Any]:
    return list(
        db.session.execute(
            select(
                *Subscription.__table__.c,
                Plan.name.label("plan_name"),
                PaymentMethod.kind.label("method_kind"),
                PaymentMethod.last4,
            )
            .join(Plan, Plan.id == Subscription.plan_id)
            .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
            .where(Subscription.customer_id == customer_id)
            .order_by(Subscription.id.desc())
            .limit(SHOWN_MAX)
        )
    )


def _payments(customer_id: int) -> list[Any]:
    is_uncertain = (
        select(Attempt.id)
        .where(Attempt.payment_id == Payment.id, Attempt.status.in_(UNCERTAIN))
        .exists()
    )
    return list(
        db.session.execute(
            select(*COLUMNS, Payment.captured_minor, is_uncertain.label("is_uncertain"))
            .where(Payment.customer_id == customer_id)
            .order_by(Payment.requested_at.desc(), Payment.id.desc())
            .limit(SHOWN_MAX)
        )
    )


def _things(customer_id: int) -> list[Any]:
    orders = (
        select(
            literal("order").label("kind"),
            Order.id.label("id"),
            Order.order_ref.label("name"),
            Order.title.label("title"),
            cast(null(), Text).label("status"),
            Order.amount_minor.label("amount_minor"),
            Order.currency.label("currency"),
            Order.placed_at.label("at"),
        )
        .where(Order.customer_id == customer_id)
        .order_by(Order.id.desc())
        .limit(SHOWN_MAX)
    )
    tickets = (
        select(
            literal("ticket"),
            Ticket.id,
            Ticket.reason,
            Ticket.summary,
            Ticket.status,
            literal(0),
            literal(""),
            Ticket.opened_at,
        )
        .where(Ticket.customer_id == customer_id)
        .order_by(Ticket.id.desc())
        .limit(SHOWN_MAX)
    )
    both = union_all(orders, tickets).subquery()
    return list(db.session.execute(select(both).order_by(both.c.at.desc(), both.c.id.desc())))
