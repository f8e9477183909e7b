"""The objects of the API, as they come and go. References, never serial numbers."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from opsapp.api.paging import ListQuery

AMOUNT_MAX = 1_000_000_000

# Letters, digits and signs that can be printed: no controls, no separators of lines, no unassigned.
_SIGNS = (
    r"!-~\u00a1-\u00ac\u00ae-\u024f\u2010-\u2027\u2030-\u203a\u20a9\u3041-\u3096\u30a1-\u30fa"
    r"\u3131-\u318e\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e"
)

Ref = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$"), Field(examples=["A-1"])
]
Text = Annotated[str, StringConstraints(pattern=rf"^[{_SIGNS}][{_SIGNS} ]{{0,99}}$")]
Name = Annotated[Text, Field(examples=["홍길동"])]
Title = Annotated[Text, Field(examples=["사과 3 kg"])]
Reason = Annotated[Text, Field(examples=["customer returned it"])]
Email = Annotated[
    str,
    StringConstraints(
        max_length=120,
        pattern=r"^[A-Za-z0-9._%+-]{1,60}@[A-Za-z0-9-]{1,30}\.[A-Za-z]{2,20}$",
    ),
    Field(examples=["gildong@example.com"]),
]
Phone = Annotated[
    str,
    StringConstraints(pattern=r"^(01[016789]-[0-9]{3,4}-[0-9]{4}|\+[0-9]{8,15})$"),
    Field(examples=["010-1234-5678"]),
]


def _whole(number: object) -> object:
    """JSON knows no difference between 3 and 3.0, and some languages write the latter."""
    is_whole = isinstance(number, float) and number.is_integer()
    return int(number) if is_whole else number  # type: ignore[call-overload]


Whole = BeforeValidator(_whole)  # stands last, or the limits are lost to the document
Amount = Annotated[
    int, Field(ge=1, le=AMOUNT_MAX, description="Minor units.", examples=[12000]), Whole
]
Quantity = Annotated[int, Field(ge=1, le=1000, examples=[1]), Whole]
Currency = Literal["KRW"]
Cause = Annotated[Text, Field(examples=["order A-1"])]


class Sent(BaseModel):
    """Whatever comes in: its own fields only, of exactly their types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Told(BaseModel):
    """Whatever goes out."""

    model_config = ConfigDict(frozen=True)


class Trouble(Told):
    field: str
    code: str


class Problem(Told):
    """RFC 9457. `code` is stable; `figures` holds amounts that a program may reckon with."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    remedy: str | None = None
    field: str | None = None
    errors: list[Trouble] | None = None
    figures: dict[str, int] | None = None


class Listed(Told):
    object: Literal["list"] = "list"
    has_more: bool
    next_cursor: str | None


class Thing(Told):
    livemode: bool


class Customer(Thing):
    """Name and ways to reach somebody are whole with the scope customers:read, else masked."""

    object: Literal["customer"] = "customer"
    id: str = Field(description="The shop's own number for the customer.")
    name: str
    email: str
    phone: str
    locale: Literal["ko", "en"]
    created_at: datetime


class CustomerList(Listed):
    data: list[Customer]


class NewCustomer(Sent):
    id: Ref = Field(description="The shop's own number; registered once.")
    name: Name
    email: Email
    phone: Phone
    locale: Literal["ko", "en"] = "ko"


class CustomerChange(Sent):
    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    locale: Literal["ko", "en"] | None = None


class Plan(Thing):
    object: Literal["plan"] = "plan"
    id: str = Field(description="The plan's code.")
    name: str
    amount: int
    currency: str
    interval: Literal["day", "week", "month"]
    interval_count: int
    trial_days: int
    term_periods: int | None
    seller: str | None


class PlanList(Listed):
    data: list[Plan]


class Seller(Thing):
    object: Literal["seller"] = "seller"
    id: str
    name: str
    fee_bp: int = Field(description="Fee in basis points of what the customer pays; plus VAT.")
    created_at: datetime


class SellerList(Listed):
    data: list[Seller]


class PaymentMethod(Thing):
    """A registered way to pay. Numbers of cards and accounts are never told."""

    object: Literal["payment_method"] = "payment_method"
    id: str
    customer: str
    kind: str
    gateway: str
    status: str
    label: str
    last4: str | None
    expires_on: date | None
    is_default: bool
    created_at: datetime


class PaymentMethodList(Listed):
    data: list[PaymentMethod]


class NewPaymentMethod(Sent):
    """`auth_key` is the one-time key that the gateway's window gave to the customer's browser."""

    customer: Ref
    kind: Literal["card", "transfer", "easy_pay", "virtual_account"]
    gateway: Literal["toss", "portone", "stripe"] = "toss"
    auth_key: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,300}$")] | None = None
    is_default: bool = False


class Attempt(Told):
    number: int
    status: str
    gateway: str
    method_kind: str
    failure_code: str | None
    failure_class: str | None
    first_sent_at: datetime | None
    ended_at: datetime | None


class Refund(Thing):
    object: Literal["refund"] = "refund"
    id: str
    payment: str | None
    amount: int
    currency: str
    status: str
    reason: str
    requested_at: datetime
    ended_at: datetime | None


class RefundList(Listed):
    data: list[Refund]


class NewRefund(Sent):
    """`seen_refundable` is what you last read as refundable; another figure now is refused."""

    payment: Ref
    amount: Amount
    reason: Reason
    seen_refundable: Amount | None = None


class VirtualAccount(Thing):
    """An account that a customer is to pay into; its number is whole with customers:read."""

    object: Literal["virtual_account"] = "virtual_account"
    payment: str
    customer: str
    amount: int
    deposited: int
    currency: str
    bank: str
    number: str
    due_at: datetime | None


class AccountList(Listed):
    data: list[VirtualAccount]


class Payment(Thing):
    object: Literal["payment"] = "payment"
    id: str
    customer: str
    title: str
    amount: int
    currency: str
    captured: int
    refunded: int
    refund_pending: int
    refundable: int = Field(description="What can be given back now.")
    status: str
    gateway: str
    method_kind: str
    failure_code: str | None
    failure_class: str | None
    order: str | None
    subscription: str | None
    period_index: int | None
    requested_at: datetime
    paid_at: datetime | None
    attempts: list[Attempt] | None = Field(description="With expand=attempts.")
    refunds: list[Refund] | None = Field(description="With expand=refunds.")


class PaymentList(Listed):
    data: list[Payment]


class Period(Told):
    period_index: int
    due_at: datetime
    payment: str | None
    status: str | None


class Subscription(Thing):
    object: Literal["subscription"] = "subscription"
    id: str
    customer: str
    plan: str
    payment_method: str
    status: str
    blocks: list[str] = Field(description="Why: pause, suspension, hold, first_period.")
    quantity: int
    amount: int
    currency: str
    next_due_at: datetime
    trial_ends_on: date | None
    ends_on: date | None
    cancelled_on: date | None
    created_at: datetime
    periods: list[Period] | None = Field(description="The latest, with expand=periods.")


class SubscriptionList(Listed):
    data: list[Subscription]


class NewSubscription(Sent):
    customer: Ref
    plan: Ref
    payment_method: Ref
    quantity: Quantity = 1
    consents: list[Literal["recurring_payment"]] = Field(
        min_length=1,
        max_length=1,
        description="What the customer agreed to in the shop; kept as evidence.",
    )


class PauseWish(Sent):
    until: date | None = Field(None, description="The day it goes on by itself, in Seoul.")
    reason: Reason | None = None


class CancelWish(Sent):
    at_period_end: bool = True
    reason: Reason | None = None


class MethodChange(Sent):
    payment_method: Ref


class Nothing(Sent):
    """No field is needed; the body may be an empty object."""


PaymentStatus = Literal[
    "pending", "awaiting_deposit", "paid", "failed", "partly_refunded", "refunded", "cancelled"
]
SubscriptionStatus = Literal[
    "trialing", "active", "past_due", "paused", "suspended", "cancelling", "cancelled", "expired"
]
Wanted = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:@-]{0,63})?$")]


class MethodQuery(ListQuery):
    customer: Wanted = ""


class AccountQuery(ListQuery):
    customer: Wanted = ""


class RefundQuery(ListQuery):
    payment: Wanted = ""


class Expandable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    expand: list[Literal["attempts", "refunds"]] = Field(
        [], description="What to add: commas or repeated.", max_length=4
    )


class ExpandQuery(Expandable):
    pass


class PaymentQuery(ListQuery, Expandable):
    customer: Wanted = ""
    order: Wanted = ""
    status: PaymentStatus | None = None


class SubscriptionExpand(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    expand: list[Literal["periods"]] = Field([], max_length=4)


class SubscriptionQuery(ListQuery, SubscriptionExpand):
    customer: Wanted = ""
    status: SubscriptionStatus | None = None
