"""One box for everything that has a number or belongs to somebody: hits, grouped by their kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all

from opsapp.cash_receipts.models import CashReceipt
from opsapp.catalog.models import Plan
from opsapp.checkout.models import Checkout
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.insights.finding_orders import order_arms
from opsapp.insights.finding_payments import is_card, is_depositor, payment_arms
from opsapp.insights.finding_people import Typed, people_arms, read_typed
from opsapp.kernel.db import as_array, db, execute_plain, is_among
from opsapp.orders.models import Order
from opsapp.payments.models import Deposit, Payment, Refund, UnmatchedMoney
from opsapp.subscriptions.models import Subscription
from opsapp.tickets.models import Ticket

KINDS = (
    "customer", "payment", "order", "subscription", "ticket", "refund", "deposit", "link",
    "cash_receipt", "unmatched_money",
)  # fmt: skip
# Of those that a name fits, the best are chosen; how many more there are is nobody's question.
CANDIDATES_MAX = 60

Arm = tuple[str, Select[Any]]


@dataclass(frozen=True, slots=True)
class Hit:
    """`name` and `phone` are a customer's and personal; `of_id` is the page of what has no own."""

    kind: str
    id: int
    ref: str
    title: str = ""
    name: str = ""
    phone: str = ""
    status: str = ""
    amount_minor: int | None = None
    currency: str = "KRW"
    at: datetime | None = None
    of_id: int | None = None


@dataclass(frozen=True, slots=True)
class HitGroup:
    kind: str
    hits: Sequence[Hit]
    has_more: bool


def find(text: str, *, limit_per_kind: int = 5) -> list[HitGroup]:
    """What `text` names or belongs to. One statement looks, one for each kind found describes."""
    typed = read_typed(text)
    if not typed.text:
        return []
    looked = [
        select(literal(kind).label("kind"), arm.subquery().c[0].label("id"))
        for kind, arm in _arms(typed, CANDIDATES_MAX)
    ]
    found: dict[str, dict[int, None]] = {}
    for kind, row_id in db.session.execute(union_all(*looked)):
        found.setdefault(kind, {})[row_id] = None
    return [
        _group(kind, describe(kind, found[kind]), limit_per_kind) for kind in KINDS if kind in found
    ]


def describe(kind: str, ids: Iterable[int]) -> list[Hit]:
    """Newest first; for ids that are none, nothing. Raises KeyError for no kind of ours."""
    rows = execute_plain(_DESCRIBED[kind], {"ids": as_array([*ids])})
    return [Hit(kind, **_filled(row._asdict())) for row in rows]


def _group(kind: str, hits: list[Hit], limit: int) -> HitGroup:
    if kind == "customer":
        hits.sort(key=lambda hit: len(hit.name))  # the name that is all of what was typed first
    return HitGroup(kind, hits[:limit], has_more=len(hits) > limit)


def _arms(typed: Typed, limit: int) -> list[Arm]:
    """Each is one index look-up, and none is asked that could not find anything."""
    arms: list[Arm] = [("customer", arm) for arm in people_arms(typed, limit=limit)]
    if (card := is_card(typed)) is not None:
        owners = select(PaymentMethod.customer_id).where(card).limit(limit)
        arms.append(("customer", owners))
    if typed.name:
        arms.append(("deposit", select(Deposit.id).where(is_depositor(typed)).limit(limit)))
    if typed.is_word:
        arms += [("payment", arm) for arm in payment_arms(typed, limit=limit)]
        arms += [("order", arm) for arm in order_arms(typed, limit=limit)]
        arms += _numbers(typed.text, limit)
    if (row_id := typed.row_id) is not None:
        by_id: dict[str, Any] = {
            "customer": Customer.id, "order": Order.id, "subscription": Subscription.id,
            "ticket": Ticket.id, "refund": Refund.id,
        }  # fmt: skip
        arms += [(kind, select(column).where(column == row_id)) for kind, column in by_id.items()]
    return arms


def _numbers(text: str, limit: int) -> list[Arm]:
    """By what is unique, or nearly so."""
    return [
        ("link", select(Checkout.id).where(Checkout.ref == text)),
        ("subscription", select(Subscription.id).where(Subscription.ref == text)),
        ("refund", select(Refund.id).where(Refund.ref == text)),
        ("refund", select(Refund.id).where(Refund.gateway_key == text).limit(limit)),
        ("cash_receipt", select(CashReceipt.id).where(CashReceipt.ref == text)),
        (
            "cash_receipt",
            select(CashReceipt.id).where(CashReceipt.issue_number == text).limit(limit),
        ),
        ("unmatched_money", select(UnmatchedMoney.id).where(UnmatchedMoney.ref == text)),
    ]


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _of(row: Any, *columns: Any, customer: Any = None) -> Select[Any]:
    """How a kind is described: its columns under the names of a Hit, its customer's beside.

    Built once, for the parameter `ids`: a search describes nearly every kind.
    """
    statement: Select[Any] = select(row.id, *columns).select_from(row)
    if row is Subscription:
        statement = statement.join(Plan, Plan.id == Subscription.plan_id)
    if customer is not None:
        named = func.coalesce(Customer.name, "").label("name")
        statement = statement.add_columns(named).outerjoin(Customer, Customer.id == customer)
    return statement.where(is_among(row.id, "ids")).order_by(row.id.desc())


def _money(row: Any) -> tuple[Any, ...]:
    return row.amount_minor, row.currency


_DESCRIBED: dict[str, Select[Any]] = {
    "customer": _of(
        Customer, Customer.customer_ref.label("ref"), Customer.name, Customer.phone,
        Customer.created_at.label("at"),
    ),
    "payment": _of(
        Payment, Payment.ref, Payment.title, Payment.status, *_money(Payment),
        Payment.requested_at.label("at"), customer=Payment.customer_id,
    ),
    "order": _of(
        Order, Order.order_ref.label("ref"), Order.title, *_money(Order),
        Order.placed_at.label("at"), customer=Order.customer_id,
    ),
    "link": _of(
        Checkout, Checkout.ref, Checkout.title, *_money(Checkout), Checkout.opened_at.label("at"),
        customer=Checkout.customer_id,
    ),
    "subscription": _of(
        Subscription, Subscription.ref, Plan.name.label("title"), Subscription.status,
        *_money(Subscription), Subscription.created_at.label("at"),
        customer=Subscription.customer_id,
    ),
    "ticket": _of(
        Ticket, func.concat("#", Ticket.id).label("ref"), Ticket.reason.label("title"),
        Ticket.status, Ticket.opened_at.label("at"), customer=Ticket.customer_id,
    ),
    "refund": _of(
        Refund, Refund.ref, Refund.status, *_money(Refund), Refund.requested_at.label("at"),
        Refund.payment_id.label("of_id"),
    ),
    "deposit": _of(
        Deposit, func.concat("#", Deposit.id).label("ref"), Deposit.depositor.label("title"),
        *_money(Deposit), Deposit.seen_at.label("at"), Deposit.payment_id.label("of_id"),
    ),
    "cash_receipt": _of(
        CashReceipt, CashReceipt.ref, CashReceipt.status, *_money(CashReceipt),
        CashReceipt.asked_at.label("at"), CashReceipt.payment_id.label("of_id"),
        customer=CashReceipt.customer_id,
    ),
    "unmatched_money": _of(
        UnmatchedMoney, UnmatchedMoney.ref, UnmatchedMoney.status, *_money(UnmatchedMoney),
        UnmatchedMoney.opened_at.label("at"), customer=UnmatchedMoney.customer_id,
    ),
}  # fmt: skip
