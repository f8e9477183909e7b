"""Orders: placed once, charged in legs, given back leg by leg or line by line."""

from collections.abc import Sequence
from typing import Any, cast

from flask import Blueprint

from opsapp.api import access, carts, idempotency
from opsapp.api.access import scoped
from opsapp.api.idempotency import Call
from opsapp.api.order_schemas import (
    NewOrder,
    NewOrderRefund,
    Order,
    OrderLeg,
    OrderLine,
    OrderList,
    OrderQuery,
    OrderRefund,
    OrderRefundList,
)
from opsapp.api.paging import ListQuery, listed
from opsapp.checkout import placing
from opsapp.checkout.placing import NewCart
from opsapp.insights import serving_customers, serving_orders as serving, serving_subscriptions
from opsapp.insights.serving_orders import Refs
from opsapp.kernel.money import Money
from opsapp.orders import queries, refunding
from opsapp.orders.queries import LegPicture, OrderPicture
from opsapp.orders.refunding import OrderRefundWish
from opsapp.programs import installing
from opsapp.programs.rules import Scope

routes = Blueprint("orders", __name__, url_prefix="/orders")


def create_together(calls: Sequence[Call]) -> list[Order | None]:
    """Carts of goods without points, of one program; the others go through `create`."""
    read, known = carts.read_goods([(call.body, call.origin) for call in calls])
    chosen: dict[str, NewCart] = {}
    for cart in read:
        if cart is not None:
            chosen.setdefault(cart.order_ref, cart)
    if not chosen:
        return [None] * len(calls)
    order_ids = placing.place_goods(list(chosen.values()), by=calls[0].by)
    told = dict(zip(chosen, _orders(order_ids, known), strict=True))
    return [
        told[cart.order_ref] if cart is not None and chosen[cart.order_ref] is cart else None
        for cart in read
    ]


@routes.post("")
@scoped(
    Scope.ORDERS_WRITE,
    "createOrder",
    body=NewOrder,
    answers=Order,
    status=201,
    together=create_together,
)
def create(body: NewOrder) -> Order:
    """Place a cart: what is bought once is one leg, each subscription one of its own.

    Charges are made within seconds; read the order again, or wait for its events.
    """
    method = body.payment_method
    customer_id = serving_customers.get_customer_id(body.customer)
    method_id = serving_customers.get_method_id(method) if method else None
    lines = carts.read_lines(body.lines)
    cart = carts.cart_of(body, customer_id, method_id, lines)
    # Nobody looks at a page meanwhile: what is due is swept within a second, many at a time.
    order_id = placing.place_cart(cart, by=access.current_actor(), hurry=False)
    known = Refs({customer_id: body.customer}, {}, carts.sellers_of(body.lines, lines))
    return _orders([order_id], known)[0]


@routes.get("")
@scoped(Scope.ORDERS_READ, "listOrders", query=OrderQuery, answers=OrderList)
def list_all(query: OrderQuery) -> OrderList:
    """The newest first."""
    page = serving.list_orders(query.customer, cursor=query.cursor, size=query.limit)
    told = iter(_orders([row.id for row in page.rows]))
    return OrderList(**listed(page, lambda _row: next(told)))


@routes.get("/<order_id>")
@scoped(Scope.ORDERS_READ, "getOrder", answers=Order)
def show(order_id: str) -> Order:
    """One order: what is paid, what is not, and what happens next."""
    return _orders([serving.get_order_id(order_id)])[0]


@routes.post("/<order_id>/refunds")
@scoped(
    Scope.REFUNDS_WRITE,
    "createOrderRefund",
    body=NewOrderRefund,
    answers=OrderRefund,
    status=201,
)
def refund(order_id: str, body: NewOrderRefund) -> OrderRefund:
    """Give part of a leg back, or of one of its lines."""
    leg = serving.get_leg(order_id, body.leg)
    seen = body.seen_refundable
    if seen is None:
        picture = queries.get_picture(leg.order_id).legs[body.leg - 1]
        seen = picture.refundable.minor + picture.refundable_points
    wish = OrderRefundWish(
        request_id=f"{access.key().ref}:{idempotency.digest()}",
        amount=Money(body.amount, leg.currency),
        line_id=serving.get_line_id(leg.id, body.line) if body.line else None,
        reason=body.reason,
        seen_refundable_minor=seen,
    )
    made = refunding.request(leg.id, wish, by=access.current_actor())
    return _refund(serving.get_order_refund(made))


@routes.get("/<order_id>/refunds")
@scoped(Scope.REFUNDS_READ, "listOrderRefunds", query=ListQuery, answers=OrderRefundList)
def list_refunds(order_id: str, query: ListQuery) -> OrderRefundList:
    """The newest first."""
    serving.get_order_id(order_id)
    page = serving.list_order_refunds(order_id, cursor=query.cursor, size=query.limit)
    return OrderRefundList(**listed(page, _refund))


def _orders(order_ids: Sequence[int], known: Refs = carts.NOTHING_KNOWN) -> list[Order]:
    """`known`: what need not be read again."""
    pictures = queries.list_pictures(order_ids)
    lines = [line for picture in pictures.values() for line in picture.lines]
    legs = [leg for picture in pictures.values() for leg in picture.legs]
    refs = known | serving.list_refs(
        {picture.order.customer_id for picture in pictures.values()} - known.customers.keys(),
        {line.plan_id for line in lines if line.plan_id} - known.plans.keys(),
        {line.seller_id for line in lines if line.seller_id} - known.sellers.keys(),
    )
    named = {leg.leg.subscription_id for leg in legs if leg.leg.subscription_id}
    subscriptions = serving_subscriptions.list_refs(named) if named else {}
    return [_order(pictures[id_], refs, subscriptions) for id_ in order_ids]


def _order(picture: OrderPicture, refs: Refs, subscriptions: dict[int, str]) -> Order:
    order = picture.order
    numbers = {leg.leg.id: leg.leg.number for leg in picture.legs}
    return Order(
        livemode=installing.is_live(),
        id=order.order_ref,
        customer=refs.customers[order.customer_id],
        title=order.title,
        state=picture.state.value,
        amount=order.amount_minor,
        points=order.points,
        currency=order.currency,
        on_failure=cast(Any, order.on_failure),
        hold_until=order.hold_until,
        placed_at=order.placed_at,
        legs=[_leg(leg, subscriptions) for leg in picture.legs],
        lines=[
            OrderLine(
                number=line.number,
                leg=numbers[line.leg_id],
                kind=cast(Any, line.kind),
                title=line.title,
                quantity=line.quantity,
                unit_price=line.unit_price_minor,
                shipping=line.shipping_minor,
                tax_free=line.tax_free_minor,
                amount=line.amount_minor,
                returned=line.returned_minor,
                seller=refs.sellers.get(line.seller_id or 0),
                plan=refs.plans.get(line.plan_id or 0),
                product=line.product_ref or None,
            )
            for line in picture.lines
        ],
    )


def _leg(picture: LegPicture, subscriptions: dict[int, str]) -> OrderLeg:
    leg = picture.leg
    return OrderLeg(
        number=leg.number,
        kind=cast(Any, leg.kind),
        state=picture.state.value,
        next_step=picture.next_step.value,
        next_at=picture.next_at,
        amount=leg.amount_minor,
        points=leg.points,
        refundable=picture.refundable.minor,
        refundable_points=picture.refundable_points,
        payment=picture.payment.ref if picture.payment else None,
        subscription=subscriptions.get(leg.subscription_id or 0),
    )


def _refund(row: Any) -> OrderRefund:
    return OrderRefund(
        livemode=installing.is_live(),
        id=row.ref,
        order=row.order_ref,
        leg=row.leg_number,
        line=row.line_number,
        amount=row.amount_minor,
        money=row.money_minor,
        points=row.points,
        currency=row.currency,
        status=row.status,
        refund=row.refund_ref,
        reason=row.reason,
        requested_at=row.requested_at,
    )
