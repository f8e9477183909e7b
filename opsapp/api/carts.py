"""Carts as they come in, with references in place of numbers."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from opsapp.api.order_schemas import NewOrder, OneOffLine, SubscriptionLine
from opsapp.checkout.placing import NewCart
from opsapp.customers.queries import list_ids_by_ref
from opsapp.insights import serving_customers as serving
from opsapp.insights.serving_orders import Refs
from opsapp.kernel.errors import NotFound, OpsError
from opsapp.kernel.log import Origin
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish

CURRENCY = "KRW"
NOTHING_KNOWN = Refs({}, {}, {})


def read_lines(lines: Sequence[OneOffLine | SubscriptionLine]) -> tuple[LineWish, ...]:
    """Two statements at most, however many lines. Raises NotFound, Invalid."""
    codes = {line.plan for line in lines if isinstance(line, SubscriptionLine)}
    refs = {line.seller for line in lines if isinstance(line, OneOffLine) and line.seller}
    plans = serving.list_ids_of_plans(list(codes)) if codes else {}
    sellers = serving.list_ids_of_sellers(list(refs)) if refs else {}
    prices = serving.list_prices([id_ for id_, _ in plans.values()]) if plans else {}
    if codes - plans.keys():
        raise NotFound(noun="plan", id="", field="plan")
    if refs - sellers.keys():
        raise NotFound(noun="seller", id="", field="seller")
    return tuple(
        _bought_once(line, sellers)
        if isinstance(line, OneOffLine)
        else _recurring(line, plans[line.plan], prices)
        for line in lines
    )


def read_goods(
    asked: Sequence[tuple[NewOrder, Origin]],
) -> tuple[list[NewCart | None], Refs]:
    """Carts of goods without points, and what is known of them; None for any other one.

    Three statements, however many there are.
    """
    bodies = [body for body, _ in asked if _is_plain(body)]
    if not bodies:
        return [None] * len(asked), NOTHING_KNOWN
    named = {body.payment_method for body in bodies if body.payment_method}
    methods = serving.list_ids_of_methods(list(named)) if named else {}
    customers = {ref: id_ for _, ref, id_ in methods.values()}
    if strangers := {body.customer for body in bodies} - customers.keys():
        customers |= list_ids_by_ref(list(strangers))
    refs = {line.seller for b in bodies for line in b.lines if isinstance(line, OneOffLine)}
    sellers = serving.list_ids_of_sellers([ref for ref in refs if ref]) if any(refs) else {}
    known = Refs(
        {id_: ref for ref, id_ in customers.items()}, {}, {id_: ref for ref, id_ in sellers.items()}
    )
    carts: list[NewCart | None] = []
    for body, origin in asked:
        cart = None
        with suppress(KeyError, OpsError):  # told when it is done alone
            if _is_plain(body):
                method_id = methods[body.payment_method][0] if body.payment_method else None
                lines = [_bought_once(x, sellers) for x in body.lines if isinstance(x, OneOffLine)]
                cart = cart_of(
                    body, customers[body.customer], method_id, tuple(lines), asked_from=origin
                )
        carts.append(cart)
    return carts, known


def cart_of(
    body: NewOrder,
    customer_id: int,
    method_id: int | None,
    lines: tuple[LineWish, ...],
    *,
    asked_from: Origin | None = None,
) -> NewCart:
    """Raises Invalid."""
    return NewCart(
        body.id,
        customer_id,
        body.title,
        lines,
        points=body.points,
        payment_method_id=method_id,
        method_kind=body.method_kind,
        on_failure=body.on_failure,
        hold_for=timedelta(days=body.hold_days),
        consents=tuple(body.consents),
        by_channel="api",
        asked_from=asked_from,
    )


def sellers_of(
    lines: Sequence[OneOffLine | SubscriptionLine], read: Sequence[LineWish]
) -> dict[int, str]:
    """The references that the lines named, by number."""
    return {
        wish.seller_id: line.seller
        for line, wish in zip(lines, read, strict=True)
        if isinstance(line, OneOffLine) and line.seller and wish.seller_id
    }


def _is_plain(body: NewOrder) -> bool:
    return not body.points and all(isinstance(line, OneOffLine) for line in body.lines)


def _bought_once(line: OneOffLine, sellers: dict[str, int]) -> LineWish:
    return LineWish(
        line.kind,
        line.title,
        line.quantity,
        Money(line.unit_price, CURRENCY),
        seller_id=sellers[line.seller] if line.seller else None,
        tax_free_minor=line.tax_free,
        shipping_minor=line.shipping,
        product_ref=line.product or "",
    )


def _recurring(
    line: SubscriptionLine, plan: tuple[int, str], prices: dict[int, tuple[int, str]]
) -> LineWish:
    """Without a price that the shop has shown, today's is meant."""
    plan_id, name = plan
    today, currency = prices[plan_id]
    price = Money(line.unit_price or today, currency)
    return LineWish(line.kind, name, line.quantity, price, plan_id=plan_id)
