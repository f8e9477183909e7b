"""The objects of orders, checkouts and points, as they come and go."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from opsapp.api.paging import ListQuery
from opsapp.api.schemas import (
    AMOUNT_MAX,
    Amount,
    Cause,
    Listed,
    Quantity,
    Reason,
    Ref,
    Sent,
    Thing,
    Title,
    Told,
    Wanted,
    Whole,
)

Price = Annotated[int, Field(ge=0, le=AMOUNT_MAX), Whole]
OnFailure = Literal["hold", "retry", "release"]


class OneOffLine(Sent):
    """Something bought once. `tax_free` is part of the amount, `shipping` comes on top."""

    kind: Literal["one_off"]
    title: Title
    unit_price: Amount
    quantity: Quantity = 1
    seller: Ref | None = Field(None, description="Whose it is; none: the house's own.")
    product: Ref | None = None
    shipping: Price = 0
    tax_free: Price = 0


class SubscriptionLine(Sent):
    """Something that recurs. A `unit_price` that the shop showed is compared with today's."""

    kind: Literal["subscription"]
    plan: Ref
    quantity: Quantity = 1
    unit_price: Amount | None = None


Line = Annotated[OneOffLine | SubscriptionLine, Field(discriminator="kind")]
Lines = Annotated[list[Line], Field(min_length=1, max_length=50)]


class NewOrder(Sent):
    """`id` is the shop's own number: the same cart under it again is the same order."""

    id: Ref
    customer: Ref
    title: Title
    lines: Lines
    points: Annotated[int, Field(ge=0, le=AMOUNT_MAX), Whole] = 0
    payment_method: Ref | None = Field(None, description="A registered one; needed for what recurs")
    method_kind: Literal["virtual_account"] | None = Field(
        None, description="Without a registered one; for cards open a checkout."
    )
    on_failure: OnFailure = "hold"
    hold_days: Annotated[int, Field(ge=1, le=30), Whole] = 3
    consents: list[Literal["recurring_payment"]] = Field(
        [], max_length=1, description="What the customer agreed to in the shop."
    )


class OrderLine(Told):
    number: int
    leg: int
    kind: Literal["one_off", "subscription"]
    title: str
    quantity: int
    unit_price: int
    shipping: int
    tax_free: int
    amount: int
    returned: int
    seller: str | None
    plan: str | None
    product: str | None


class OrderLeg(Told):
    """What is charged together. `state` and `next_step` tell where it stands and who is next."""

    number: int
    kind: Literal["one_off", "subscription"]
    state: str
    next_step: str
    next_at: datetime | None
    amount: int
    points: int
    refundable: int
    refundable_points: int
    payment: str | None
    subscription: str | None


class Order(Thing):
    object: Literal["order"] = "order"
    id: str
    customer: str
    title: str
    state: str
    amount: int
    points: int
    currency: str
    on_failure: OnFailure
    hold_until: datetime | None
    placed_at: datetime
    legs: list[OrderLeg]
    lines: list[OrderLine]


class OrderList(Listed):
    data: list[Order]


class OrderQuery(ListQuery):
    customer: Wanted = ""


class NewOrderRefund(Sent):
    """Money first, up to what is left of it, then points. `seen_refundable` is of the leg, money
    and points together; another figure now is refused.
    """

    leg: Annotated[int, Field(ge=1, le=100), Whole]
    line: Annotated[int, Field(ge=1, le=100), Whole] | None = None
    amount: Amount
    reason: Reason
    seen_refundable: Amount | None = None


class OrderRefund(Thing):
    object: Literal["order_refund"] = "order_refund"
    id: str
    order: str
    leg: int
    line: int | None
    amount: int
    money: int
    points: int
    currency: str
    status: str = Field(description="Of the money part.")
    refund: str | None
    reason: str
    requested_at: datetime


class OrderRefundList(Listed):
    data: list[OrderRefund]


class NewCheckout(Sent):
    """A page where the customer pays. Its `order` becomes an order once they choose how."""

    customer: Ref
    title: Title
    lines: Lines
    order: Ref | None = Field(None, description="The shop's own number; none: one of ours.")
    life_hours: Annotated[int, Field(ge=1, le=720), Whole] = 72
    on_failure: OnFailure = "hold"
    return_url: (
        Annotated[
            str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:-]{1,100}(/[!-~]{0,400})?$")
        ]
        | None
    ) = None
    points_allowed: bool = True


class Checkout(Thing):
    object: Literal["checkout"] = "checkout"
    id: str
    customer: str
    title: str
    amount: int
    currency: str
    status: Literal["open", "paid", "expired", "cancelled"]
    url: str | None = Field(description="The page's address; told once, to whoever opened it.")
    order: str = Field(description="The number that the order has, or will have.")
    is_order_placed: bool
    on_failure: OnFailure
    return_url: str | None
    points_allowed: bool
    opened_at: datetime
    expires_at: datetime


class CheckoutList(Listed):
    data: list[Checkout]


class Expiring(Told):
    last_day: date
    points: int


class PointBalance(Thing):
    object: Literal["point_balance"] = "point_balance"
    customer: str
    available: int
    reserved: int
    expiring: list[Expiring] = Field(description="Within 30 days.")


class NewPoints(Sent):
    points: Annotated[int, Field(ge=1, le=10_000_000), Whole]
    because: Cause
    last_day: date | None = Field(None, description="On which they can be spent, in Seoul.")


class PointEntry(Told):
    kind: str
    change: int
    available_after: int
    because: str
    at: datetime


class PointEntryList(Listed):
    data: list[PointEntry]
