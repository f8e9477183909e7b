"""Carts as they come in, with references in place of numbers."""

from collections.abc import Sequence

from opsapp.api.order_schemas import OneOffLine, SubscriptionLine
from opsapp.insights import serving_customers as serving
from opsapp.kernel.errors import NotFound
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish

CURRENCY = "KRW"


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


def sellers_of(
    lines: Sequence[OneOffLine | SubscriptionLine], read: Sequence[LineWish]
) -> dict[int, str]:
    """The references that the lines named, by number."""
    return {
        wish.seller_id: line.seller
        for line, wish in zip(lines, read, strict=True)
        if isinstance(line, OneOffLine) and line.seller and wish.seller_id
    }


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
