"""Keeping: a cart as its link remembers it, until it becomes the lines of an order."""

from collections.abc import Sequence
from typing import Any

from opsapp.checkout.models import Checkout
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish
from opsapp.orders.states import ONE_OFF


def as_cart(lines: Sequence[LineWish]) -> dict[str, Any] | None:
    """None: nothing but title and amount of the link itself."""
    if not lines:
        return None
    return {
        "lines": [
            {
                "kind": line.kind,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price.minor,
                "seller_id": line.seller_id,
                "plan_id": line.plan_id,
                "tax_free_minor": line.tax_free_minor,
                "shipping_minor": line.shipping_minor,
                "product_ref": line.product_ref,
            }
            for line in lines
        ]
    }


def lines_of(checkout: Checkout) -> tuple[LineWish, ...]:
    """Prices as they were when the link was opened."""
    if checkout.cart is None:
        return (LineWish(ONE_OFF, checkout.title, 1, checkout.amount),)
    return tuple(
        LineWish(
            kept["kind"],
            kept["title"],
            kept["quantity"],
            Money(kept["unit_price_minor"], checkout.currency),
            seller_id=kept["seller_id"],
            plan_id=kept["plan_id"],
            tax_free_minor=kept["tax_free_minor"],
            shipping_minor=kept["shipping_minor"],
            product_ref=kept["product_ref"],
        )
        for kept in checkout.cart["lines"]
    )
