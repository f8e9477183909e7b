"""What the simulated gateway holds: orders, what was taken for them and what was given back."""

from dataclasses import dataclass, field
from datetime import datetime

from opsapp.kernel.money import Money


@dataclass(slots=True)
class Order:
    """One order id at the gateway. `what_for`: customer and title, which a customer pays once."""

    order_id: str
    gateway_key: str
    what_for: tuple[str, str]
    amount: Money
    sent_at: datetime
    takes_effect_at: datetime | None = None  # None: never, or not before somebody pays in
    declined_by: str | None = None
    account_due_at: datetime | None = None
    is_closed: bool = False
    refunds: dict[str, tuple[Money, datetime]] = field(default_factory=dict)  # by idempotency key

    def is_taken(self, now: datetime) -> bool:
        return self.takes_effect_at is not None and self.takes_effect_at <= now

    def refunded(self) -> Money:
        return Money(sum(money.minor for money, _ in self.refunds.values()), self.amount.currency)

    @property
    def is_account(self) -> bool:
        return self.account_due_at is not None


@dataclass(slots=True)
class Books:
    by_order: dict[str, Order] = field(default_factory=dict)
    by_charge_key: dict[str, Order] = field(default_factory=dict)
    by_gateway_key: dict[str, Order] = field(default_factory=dict)
    of_subject: dict[tuple[str, str], list[Order]] = field(default_factory=dict)
    billing_keys: dict[str, str] = field(default_factory=dict)  # registration -> billing key

    def open(self, order: Order, idempotency_key: str) -> Order:
        self.by_order[order.order_id] = order
        self.by_charge_key[idempotency_key] = order
        self.by_gateway_key[order.gateway_key] = order
        self.of_subject.setdefault(order.what_for, []).append(order)
        return order
