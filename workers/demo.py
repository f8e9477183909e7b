"""The demo merchant: a year of business, lived through the product's own verbs.

Started once by `opsapp up`. It sets the clock of an empty demo installation a year back,
lets customers come, order, fail to pay and leave, and moves the clock on day by day; scheduler,
workers and the sandbox gateway do the charging. What it has done stands in the log, so a restart
goes on where it was stopped, and does nothing once it has arrived in the present.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from sqlalchemy import func, select

from opsapp import create_app
from opsapp.catalog.planning import add_plans
from opsapp.catalog.queries import list_sellers_by_ref
from opsapp.catalog.registering_sellers import add_seller
from opsapp.customers import issuing
from opsapp.customers.payment_methods import VIRTUAL_ACCOUNT, NewMethod, add_methods
from opsapp.customers.queries import get_charge_keys, list_customers, list_methods
from opsapp.customers.registering import register_customers
from opsapp.insights.queries import list_left
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction, within_transaction
from opsapp.kernel.diagnostics import name_process
from opsapp.kernel.log import AuditEntry, Entry, record
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish, NewOrder, place_orders
from opsapp.orders.queries import list_orders, list_pictures
from opsapp.orders.states import ONE_OFF
from opsapp.payments.refunding import RefundWish, request_refund
from opsapp.points import earning
from opsapp.points.queries import list_balances
from opsapp.settings import current
from opsapp.subscriptions import cancelling, pausing, switching
from opsapp.subscriptions.queries import list_subscriptions
from opsapp.subscriptions.states import SubscriptionStatus
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from workers import merchant
from workers.merchant import Subscriber, draw
from workers.stopping import StopWish

log = structlog.get_logger(__name__)

BY = Actor("worker", "demo")
DAYS = 365
DAY_LIMIT_S = 20.0  # a day whose work does not end is left behind
POLL_S = 0.05
ORDERS_PER_DAY = 6
BUYERS = 300  # the newest subscribers buy other things too
EVERYBODY = 2 * merchant.SUBSCRIBERS
WELCOME_POINTS, WELCOME_DAYS = 3_000, 30
HOLD = timedelta(days=3)  # points stay set aside for an order that failed

# What goes wrong at the gateway meanwhile: everyday declines, a few answers lost on the way.
FAULTS: dict[str, Any] = {
    "seed": 2026,
    "declines": {
        "REJECT_CARD_PAYMENT": 0.025,
        "EXCEED_MAX_DAILY_PAYMENT_COUNT": 0.008,
        "REJECT_CARD_COMPANY": 0.006,
        "INVALID_STOPPED_CARD": 0.004,
        "INVALID_CARD_LOST_OR_STOLEN": 0.001,
    },
    "lost_after": 0.004,
    "lost_before": 0.002,
    "latency_ms": {"min": 5, "max": 60},
    "deposits": {"share": 0.9, "after_s": 0.5},
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SUBJECT = "demo"
# What must end before the next day begins; notices and seals may lag behind.
_OF_THE_DAY = frozenset({"subscriptions_due", "payment_methods_due", "attempts_due", "refunds_due"})
_SELLER_REFS = [each.ref for each in merchant.SELLERS]
_CHARGEABLE = (SubscriptionStatus.ACTIVE,)
_OWING = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.SUSPENDED)
_PAUSED = (SubscriptionStatus.PAUSED,)


def run() -> None:
    """Live until the present is reached, or until SIGTERM."""
    name_process("demo")
    app, wish = create_app(), StopWish()
    if current().mode != "demo" or urlsplit(current().toss_url).hostname not in _LOOPBACK:
        log.warning("demo.refused", reason="only a demo installation with a sandbox is filled")
        return
    with app.app_context():
        with transaction():
            first_moment = _begin()
        if first_moment is None:
            return
        _tell_sandbox("PUT", "faults", FAULTS)
        try:
            if _live(first_moment, wish):
                log.info("demo.arrived")
        finally:
            _tell_sandbox("DELETE", "faults")


@within_transaction
def _begin() -> datetime | None:
    """The moment of the first day; None if there is nothing to do here."""
    if _is_noted("demo.arrived"):
        return None
    begun = db.session.scalars(_notes("demo.begun")).one_or_none()
    if begun is not None:
        return datetime.fromisoformat(begun.detail["first_moment"])
    if list_subscriptions(limit=1) or list_orders(limit=1):
        log.info("demo.skipped", reason="somebody has worked here already")
        return None
    today = clock.seoul_midnight(clock.seoul_date(datetime.now(UTC)))
    first_moment = today - timedelta(days=DAYS)
    _note("demo.begun", detail={"first_moment": first_moment.isoformat()})
    clock.set_to(first_moment)
    return first_moment


def _live(first_moment: datetime, wish: StopWish) -> bool:
    """Day after day until the present; False if stopped before."""
    comers = merchant.first_days()
    for day in range(DAYS + 1):
        if wish.is_there:
            return False
        moment = first_moment + timedelta(days=day, hours=8 + int(draw(day, "hour") * 13))
        if moment >= datetime.now(UTC):
            break
        with transaction():
            if _is_noted("demo.day_lived", day):
                continue
            if clock.now() < moment:
                clock.set_to(moment)
            registered = _live_day(day, comers.get(day, []))
            _note("demo.day_lived", day)
        # Workers would do it too; here it saves each day a round through the relay.
        issuing.issue_billing_keys(registered, by=BY)
        _run_dry(day)
        _wait_until_done(wish, names=_OF_THE_DAY)
    _wait_until_done(wish)
    if wish.is_there:
        return False
    with transaction():
        clock.set_to(datetime.now(UTC))
        _note("demo.arrived")
    return True


@within_transaction
def _live_day(day: int, comers: Sequence[Subscriber]) -> list[int]:
    """Returns the methods that were registered and want a billing key."""
    registered = _come(comers) + _change_cards(day)
    _order(day)
    _change_minds(day)
    _send_back(day)
    return registered


def _come(comers: Sequence[Subscriber]) -> list[int]:
    today = clock.seoul_date(clock.now())
    ids = register_customers([new.customer for new in comers], by=BY)
    plans = add_plans([new.plan for new in comers], by=BY)
    customers = [ids[new.customer.customer_ref] for new in comers]
    methods = add_methods(
        [_method(id_, new, today) for id_, new in zip(customers, comers, strict=True)], by=BY
    )
    wishes = [
        NewSubscription(id_, plans[new.plan.code], method_id, terms_version="2026-01")
        for id_, method_id, new in zip(customers, methods, comers, strict=True)
    ]
    subscribe(wishes, by=BY)
    _welcome([(new.customer.customer_ref, ids[new.customer.customer_ref]) for new in comers])
    return methods


def _welcome(comers: Sequence[tuple[str, int]]) -> None:
    """A third of them get points for coming; what they do not spend in time expires."""
    last_day = clock.seoul_date(clock.now()) + timedelta(days=WELCOME_DAYS)
    for ref, customer_id in comers:
        if draw(ref, "welcome") < 0.33:
            earning.earn(
                customer_id,
                WELCOME_POINTS,
                request_id=f"demo-welcome-{ref}",
                because="가입 축하 포인트",
                expires_on=last_day,
                by=BY,
            )


def _method(customer_id: int, new: Subscriber, today: Any) -> NewMethod:
    ref = new.customer.customer_ref
    return NewMethod(
        customer_id,
        new.kind,
        auth_key=None if new.kind == VIRTUAL_ACCOUNT else f"{new.kind}.{ref}",
        is_default=True,
        expires_on=merchant.card_expires_on(ref, today) if new.kind == "card" else None,
    )


def _order(day: int) -> None:
    """Some of the subscribers buy something else too."""
    known = list(list_subscriptions(limit=BUYERS, statuses=_CHARGEABLE))
    purses = list_balances([row.customer_id for row in known])
    sellers = _sellers()
    wishes = []
    for number in range(ORDERS_PER_DAY):
        if not known:
            return
        buyer = known[int(draw(day, number, "buyer") * len(known))]
        lines = _basket(day, number, sellers)
        won = sum(line.amount.minor for line in lines)
        usable = [m for m in list_methods(buyer.customer_id) if m.status == "active"]
        if usable:
            purse = purses.pop(buyer.customer_id, None)  # spent on one order of the day
            wishes.append(
                NewOrder(
                    f"demo-{day:03}-{number}", buyer.customer_id, usable[0].id, _title(lines),
                    lines=lines, points=min(purse.available, won // 2) if purse else 0,
                    hold_until=clock.now() + HOLD,
                )
            )  # fmt: skip
    place_orders(wishes, by=BY)


def _basket(day: int, number: int, sellers: dict[str, int]) -> tuple[LineWish, ...]:
    """One thing, or two that may be of two sellers."""
    first = int(draw(day, number, "goods") * len(merchant.GOODS))
    count = 2 if draw(day, number, "basket") < 0.4 else 1
    chosen = [merchant.GOODS[(first + 3 * n) % len(merchant.GOODS)] for n in range(count)]
    return tuple(
        LineWish(ONE_OFF, title, 1, Money(won, "KRW"), seller_id=sellers.get(seller))
        for title, won, seller in chosen
    )


def _title(lines: Sequence[LineWish]) -> str:
    return lines[0].title + (f" 외 {len(lines) - 1}건" if len(lines) > 1 else "")


def _sellers() -> dict[str, int]:
    """Ids by reference; one that somebody has changed meanwhile stays as it is."""
    known = {ref: row.id for ref, row in list_sellers_by_ref(_SELLER_REFS).items()}
    missing = [each for each in merchant.SELLERS if each.ref not in known]
    return known | {each.ref: add_seller(each, by=BY) for each in missing}


def _change_cards(day: int) -> list[int]:
    """Whose payments fail registers another card, and switches to it the next day."""
    wishes = []
    owing = list_subscriptions(limit=EVERYBODY, statuses=_OWING)
    names = list_customers([row.customer_id for row in owing])
    for row in owing:
        methods = list_methods(row.customer_id)
        fresh = [m.id for m in methods if m.status == "active" and m.id > row.payment_method_id]
        is_waiting = any(m.status in ("requested", "issuing") for m in methods)
        if fresh:
            switching.switch_method(row.id, payment_method_id=fresh[-1], by=BY)
        elif not is_waiting and draw(row.id, day, "card") < 0.1:
            ref = names[row.customer_id].customer_ref
            auth_key = f"card.{ref}-{row.id}-{day}"
            wishes.append(NewMethod(row.customer_id, "card", auth_key=auth_key, is_default=True))
    return add_methods(wishes, by=BY)


def _run_dry(day: int) -> None:
    """A few cards are out of funds from now on, so that some failures repeat."""
    with transaction():
        active = list_subscriptions(limit=EVERYBODY, statuses=_CHARGEABLE)
        dry = [row.payment_method_id for row in active if draw(row.id, day, "dry") < 0.0003]
        keys = [each.billing_key for each in get_charge_keys(dry).values()]
    for key in keys:
        if key is not None:
            _tell_sandbox("POST", f"cards/{quote(key)}", {"state": "insufficient_funds"})


def _change_minds(day: int) -> None:
    for row in list_subscriptions(limit=EVERYBODY, statuses=_CHARGEABLE):
        if draw(row.id, day, "cancel") < 0.0012:
            cancelling.cancel(row.id, because="the customer cancelled", by=BY)
        elif draw(row.id, day, "pause") < 0.0008:
            pausing.pause(row.id, by=BY)
    for row in list_subscriptions(limit=EVERYBODY, statuses=_PAUSED):
        if draw(row.id, day, "resume") < 0.06:
            pausing.resume(row.id, by=BY)


def _send_back(day: int) -> None:
    """A few recent orders are given back, whole or in part."""
    recent = list_orders(limit=5 * ORDERS_PER_DAY)
    pictures = list_pictures([order.id for order in recent])
    for order in recent:
        payment = pictures[order.id].legs[0].payment
        if payment is None or payment.status != "paid":
            continue
        is_payable = payment.method_kind != VIRTUAL_ACCOUNT
        if not is_payable or draw(order.order_ref, day, "refund") > 0.012:
            continue
        won = payment.refundable.minor
        part = won if draw(order.order_ref, "part") < 0.6 else max(1_000, won // 3)
        reasons = merchant.REFUND_REASONS
        wish = RefundWish(
            request_id=f"demo-{order.order_ref}",
            amount=Money(part, payment.currency),
            seen_refundable_minor=won,
            reason=reasons[int(draw(order.order_ref, "reason") * len(reasons))],
        )
        request_refund(payment.id, wish, by=BY)


def _wait_until_done(wish: StopWish, *, names: frozenset[str] | None = None) -> None:
    """Until none of these, or nothing at all, is left to do."""
    give_up_at = time.monotonic() + DAY_LIMIT_S
    left: Set[str] = frozenset()
    while not wish.is_there and time.monotonic() < give_up_at:
        wish.pause(POLL_S)
        with transaction():
            left = list_left(soon=timedelta(0)).keys()
        if not (left & names if names else left):
            return
    if not wish.is_there:
        log.warning("demo.day_not_done", left=sorted(left))


def _tell_sandbox(method: str, path: str, what: dict[str, Any] | None = None) -> None:
    url = f"{current().toss_url}/_sandbox/{path}"
    body = None if what is None else json.dumps(what).encode()
    request = urllib.request.Request(  # noqa: S310 - loopback, see run()
        url, data=body, method=method, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - the same
            pass
    except urllib.error.URLError as error:
        log.warning("demo.sandbox_away", error=str(error))


def _note(action: str, day: int = 0, *, detail: dict[str, str] | None = None) -> None:
    record(Entry(action, _SUBJECT, day, detail=detail or {}), by=BY)


def _notes(action: str, day: int = 0) -> Any:
    return select(AuditEntry).where(
        AuditEntry.subject_type == _SUBJECT,
        AuditEntry.subject_id == day,
        AuditEntry.action == action,
    )


def _is_noted(action: str, day: int = 0) -> bool:
    notes = _notes(action, day).subquery()
    return db.session.scalars(select(func.count()).select_from(notes)).one() > 0
