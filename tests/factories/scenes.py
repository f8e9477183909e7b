"""A shop on an ordinary bad day, for screens: every status, made through the real verbs."""

from dataclasses import dataclass
from datetime import date

from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.customers import issuing, registering
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.notifications.sending import NewNotice, queue_notices
from opsapp.payments import charging, refunding
from opsapp.payments.refunding import RefundWish, request_refund
from opsapp.payments.requesting import PaymentOrder, request_payments
from opsapp.subscriptions import pausing, renewing
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from opsapp.tickets.opening import NewTicket, open_tickets
from tests.factories.payments import attempt_ids, order_ids
from tests.gateway_controls import GatewayControls

BY = Actor("worker", "payments.execute_attempts")
NAMES = ("홍길동", "김민", "이서연", "John Smith", "박하늘")


@dataclass(frozen=True, slots=True)
class Scene:
    """Ids of what was made, by what it is."""

    customers: list[int]
    paid: int
    partly_refunded: int
    failed: int
    uncertain: int
    awaiting: int
    subscription: int
    paused: int
    ticket: int
    refund: int
    gateway_order_id: str


def furnish(gateway: GatewayControls) -> Scene:
    customers = _customers()
    cards = [_method(customer) for customer in customers]
    account = _method(customers[1], kind="virtual_account")
    paid = _pay(customers[0], cards[0], "기계식 키보드", 129_000)
    partly = _pay(customers[1], cards[1], "원두 1kg 정기배송", 32_000)
    refund = _refund(partly, 12_000, seen=32_000)
    awaiting = _pay(customers[1], account, "책상 의자", 210_000)
    failed = _pay(
        customers[2], cards[2], "프리미엄 요금제", 19_900, gateway,
        declines={"REJECT_CARD_PAYMENT": 1.0},
    )  # fmt: skip
    uncertain = _pay(customers[3], cards[3], "Noise cancelling headset", 359_000, gateway,
                     lost_after=1.0)  # fmt: skip
    subscription, paused = _subscriptions(customers, cards)
    with transaction():
        [ticket] = open_tickets(
            [NewTicket("subscription", subscription, customers[4], "repeated_failure",
                       "2 failures in a row (REJECT_CARD_PAYMENT)")], by=BY,
        )  # fmt: skip
        open_tickets(
            [NewTicket("payment", uncertain, customers[3], "uncertain_attempt",
                       "No certain answer in 12 turns")], by=BY,
        )  # fmt: skip
        queue_notices(
            [NewNotice("payment_failed", "payment", failed, customers[2], {"amount": 19_900})],
            by=BY,
        )
    return Scene(
        customers, paid, partly, failed, uncertain, awaiting, subscription, paused, ticket,
        refund, order_ids([paid])[0],
    )  # fmt: skip


def pay_with_new_card(customer_id: int, title: str, won: int) -> int:
    """Approved; the payment's id."""
    return _pay(customer_id, _method(customer_id), title, won)


def _customers() -> list[int]:
    wishes = [
        registering.NewCustomer(f"C-{1001 + n}", name, f"c{n}@example.com", f"010-1234-{5678 + n}")
        for n, name in enumerate(NAMES)
    ]
    with transaction():
        made = registering.register_customers(wishes, by=BY)
    return [made[wish.customer_ref] for wish in wishes]


def _method(customer_id: int, *, kind: str = "card") -> int:
    auth_key = None if kind == "virtual_account" else f"{kind}.{new_ref('auth')}"
    wish = NewMethod(customer_id, kind, auth_key=auth_key, expires_on=date(2027, 1, 31))
    with transaction():
        [method_id] = add_methods([wish], by=BY)
    issuing.issue_billing_keys([method_id], by=BY)
    return method_id


def _pay(
    customer_id: int,
    method_id: int,
    title: str,
    won: int,
    gateway: GatewayControls | None = None,
    **faults: object,
) -> int:
    subject_id = method_id * 1000 + won % 997
    order = PaymentOrder("order", subject_id, customer_id, method_id, title, Money(won, "KRW"))
    with transaction():
        [payment_id] = request_payments([order], by=BY).values()
    if gateway is not None:
        gateway.faults(**faults)
    charging.execute_attempts(attempt_ids([payment_id]), by=BY)
    if gateway is not None:
        gateway.clear()
    return payment_id


def _refund(payment_id: int, won: int, *, seen: int) -> int:
    wish = RefundWish(new_ref("req"), Money(won, "KRW"), seen, "고객 변심")
    with transaction():
        refund_id = request_refund(payment_id, wish, by=BY)
    refunding.execute_refunds([refund_id], by=BY)
    return refund_id


def _subscriptions(customers: list[int], cards: list[int]) -> tuple[int, int]:
    with transaction():
        plan = add_plans([NewPlan("basic", "기본 요금제", Money(9_900, "KRW"))], by=BY)["basic"]
        wishes = [
            NewSubscription(customers[n], plan, cards[n], consented_on=date(2026, 1, 2))
            for n in (4, 0)
        ]
        going, paused = subscribe(wishes, by=BY)
        pausing.pause(paused, by=BY)
    with transaction():
        renewing.renew_due()
    return going, paused
