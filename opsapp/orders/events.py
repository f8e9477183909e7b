"""Facts about legs, told in batches inside the transaction that settled them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LegFact:
    """`amount_minor` is all that was owed for the leg, the `points` within it."""

    leg_id: int
    order_id: int
    customer_id: int
    kind: str
    payment_id: int | None  # None: points or a trial left nothing to be collected
    amount_minor: int
    points: int
    currency: str
    subscription_id: int | None = None


@dataclass(frozen=True, slots=True)
class LegsPaid:
    """All of it is there: money collected, points posted. Also told when nothing was to pay."""

    legs: tuple[LegFact, ...]


@dataclass(frozen=True, slots=True)
class LegsReopened:
    """What had been paid was taken back by the bank or never was there: it is owed again."""

    legs: tuple[LegFact, ...]


@dataclass(frozen=True, slots=True)
class LegsReleased:
    """Given up: nothing is collected for them any more, their points went back."""

    legs: tuple[LegFact, ...]


@dataclass(frozen=True, slots=True)
class LineReturned:
    line_id: int
    minor: int  # of what was paid for the line


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """Part of a leg was given back: points at once, money when the gateway has returned it.

    A refund of both tells of each by itself, and of neither twice.
    """

    order_refund_id: int
    order_id: int
    leg_id: int
    customer_id: int
    refund_id: int | None  # set: money, given back by this refund
    money_minor: int
    points: int
    currency: str
    lines: tuple[LineReturned, ...]
