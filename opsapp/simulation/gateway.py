"""A gateway inside the process, with books of its own and every fault a real one has.

It stands in for Toss Payments: the same promises, the same codes, other luck.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from opsapp.gateways.base import Gateway, WebhookRefused
from opsapp.gateways.failures import classify
from opsapp.gateways.http import fault
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import (
    Account,
    AccountClosing,
    Answer,
    BillingKey,
    BillingKeyDeletion,
    BillingKeyRequest,
    Capabilities,
    ChargeBody,
    ChargeRequest,
    FailureClass,
    Flow,
    GatewayTransaction,
    Inquiry,
    Outcome,
    RefundRequest,
    WebhookMessage,
    WindowRequest,
)
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.money import Money
from opsapp.simulation.books import Books, Order
from opsapp.simulation.luck import Luck, Profile

SOURCE = "toss_api"
ACCOUNT_LIFE = timedelta(days=7)
PAYDAY = 25


class WorkerKilled(BaseException):
    """The process ends here: whatever it knew is known to nobody."""


class SimulatedGateway(Gateway):
    name: ClassVar[str] = TossGateway.name
    failure_sources: ClassVar[tuple[str, ...]] = TossGateway.failure_sources
    capabilities: ClassVar[Capabilities] = replace(
        TossGateway.capabilities, cash_receipts=frozenset(), account_life_max=ACCOUNT_LIFE
    )
    timeout_s = 60.0
    inquiry_timeout_s = 30.0
    abreast_max = 1000
    rate_per_s_max = 0

    def __init__(self, luck: Luck, faults: Profile, *, now: datetime) -> None:
        self.books = Books()
        self.now = now
        self.kills_worker = False  # every call of the job in hand takes effect, and it dies
        self.calls = 0
        self._luck = luck
        self._faults = faults
        self._tries: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self._deposits: list[Order] = []

    def charge_body(self, charge: ChargeBody) -> bytes:
        body = {
            "orderId": charge.gateway_order_id,
            "orderName": charge.title,
            "customerName": charge.customer_name,
            "amount": charge.amount.minor,
            "currency": charge.amount.currency,
        }
        return json.dumps(body).encode()

    def parse_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> WebhookMessage:
        raise WebhookRefused

    def take_news(self) -> list[Order]:
        """Accounts that were paid into since the last time."""
        arrived = [order for order in self._deposits if order.is_taken(self.now)]
        self._deposits = [order for order in self._deposits if not order.is_taken(self.now)]
        return arrived

    def next_news_at(self) -> datetime | None:
        moments = (order.takes_effect_at for order in self._deposits)
        return min((at for at in moments if at is not None), default=None)

    def calm_down(self) -> None:
        self._faults = Profile()

    async def _charge(self, request: ChargeRequest) -> Answer:
        body = json.loads(request.body)
        what_for = (str(body["customerName"]), str(body["orderName"]))
        if (trouble := self._way_there("charge", what_for)) is not None:
            return trouble
        order = self.books.by_charge_key.get(request.idempotency_key)
        if order is None:
            order = self._take_order(request, body, what_for)
        return self._way_back("charge", what_for) or self._told(order)

    async def _inquire(self, inquiry: Inquiry) -> Answer:
        order = self.books.by_order.get(inquiry.gateway_order_id)
        if self._is_down():
            return fault("CONNECT_REFUSED", "out of order", outcome=Outcome.NOT_SENT)
        self.calls += 1
        if order is None:
            return Answer(Outcome.NOT_FOUND, "the gateway does not know this order")
        self._tries["inquire", order.what_for] += 1
        if self._hits(self._faults.inquiry_failures, "inquire", order.what_for):
            return fault("READ_TIMEOUT", "no readable answer")
        return self._told(order)

    async def _refund(self, request: RefundRequest) -> Answer:
        order = self.books.by_gateway_key[request.gateway_key]
        trouble = self._way_there("refund", order.what_for)
        if trouble is not None:
            return trouble
        if request.idempotency_key not in order.refunds:
            if order.amount - order.refunded() != request.refundable_before:
                return classify([(SOURCE, "NOT_MATCHES_REFUNDABLE_AMOUNT")])
            order.refunds[request.idempotency_key] = (request.amount, self.now)
        trouble = self._way_back("refund", order.what_for)
        return trouble or Answer(
            Outcome.APPROVED,
            "refunded by the gateway",
            gateway_key=order.gateway_key,
            amount=request.amount,
            refunded=order.refunded(),
            transaction_key=f"cancel-{order.gateway_key}-{len(order.refunds)}",
        )

    async def _close_account(self, closing: AccountClosing) -> Answer:
        order = self.books.by_gateway_key[closing.gateway_key]
        if (trouble := self._way_there("close", order.what_for)) is not None:
            return trouble
        if order.is_taken(self.now):
            return Answer(
                Outcome.CONFLICT,
                "a deposit had arrived before",
                failure_class=FailureClass.CONFLICT,
                retry_mode="query_then_retry",
            )
        order.is_closed, order.takes_effect_at = True, None
        return Answer(Outcome.APPROVED, "the account was closed")

    async def _open_window(self, request: WindowRequest) -> Answer:
        raise NotImplementedError

    async def _issue_billing_key(self, request: BillingKeyRequest) -> Answer:
        """The billing key is the registration's own name, so that a card keeps its luck."""
        if (trouble := self._way_there("register", (request.auth_key,))) is not None:
            return trouble
        key = self.books.billing_keys.setdefault(request.auth_key, f"bk.{request.auth_key}")
        trouble = self._way_back("register", (request.auth_key,))
        issued = BillingKey(key, "모의카드", first6=None, last4=None)
        return trouble or Answer(Outcome.APPROVED, "billing key issued", billing_key=issued)

    async def _delete_billing_key(self, deletion: BillingKeyDeletion) -> Answer:
        trouble = self._way_there("delete", (deletion.billing_key,))
        return trouble or Answer(Outcome.APPROVED, "the billing key was deleted")

    async def _list_transactions(
        self, since: datetime, until: datetime
    ) -> list[GatewayTransaction]:
        found = []
        for order in self.books.by_order.values():
            if not order.is_taken(self.now) or order.takes_effect_at is None:
                continue
            key = order.gateway_key
            moved = [(f"take-{key}", order.amount, order.takes_effect_at)] + [
                (f"cancel-{key}-{n}", Money(-money.minor, money.currency), at)
                for n, (money, at) in enumerate(order.refunds.values())
            ]
            found += [
                GatewayTransaction(order.order_id, key, transaction, money, at)
                for transaction, money, at in moved
                if since <= at <= until
            ]
        return found

    def _take_order(
        self, request: ChargeRequest, body: dict[str, Any], what_for: tuple[str, str]
    ) -> Order:
        number = len(self.books.by_order) + 1
        order = Order(
            order_id=request.gateway_order_id,
            gateway_key=f"sim-{number}",
            what_for=what_for,
            amount=Money(body["amount"], body["currency"]),
            sent_at=self.now,
        )
        self.books.open(order, request.idempotency_key)
        if request.flow is Flow.ACCOUNT:
            self._open_account(order)
            return order
        order.declined_by = self._decline(request.billing_key or "", what_for)
        if order.declined_by is None:
            wait = timedelta(0)
            if self._hits(self._faults.late, "charge", what_for, "late"):
                wait = timedelta(hours=1 + int(30 * self._luck.draw("late by", *what_for)))
            order.takes_effect_at = self.now + wait
        return order

    def _open_account(self, order: Order) -> None:
        order.account_due_at = self.now + ACCOUNT_LIFE
        if not self._luck.hits(
            self._faults.deposits_missing, "deposit", *order.what_for, order.sent_at
        ):
            hours = 1 + int(70 * self._luck.draw("deposit after", *order.what_for))
            order.takes_effect_at = self.now + timedelta(hours=hours)
            self._deposits.append(order)

    def _decline(self, billing_key: str, what_for: tuple[str, str]) -> str | None:
        """A dead card stays dead, an empty one until payday; the rest is chance."""
        day = seoul_date(self.now)
        if billing_key not in self.books.billing_keys.values():
            return "NOT_FOUND_BILLING"
        if billing_key.startswith("bk.card.") and _has_expired(billing_key, day):
            return "INVALID_CARD_EXPIRATION"
        if self._is_card_dead(billing_key, day):
            return "INVALID_STOPPED_CARD"
        month = f"{day:%Y-%m}"
        if day.day < PAYDAY and self._luck.hits(self._faults.dry_cards, "dry", billing_key, month):
            return "REJECT_CARD_PAYMENT"
        tries = len(self.books.of_subject[what_for])
        return self._luck.choose(self._faults.declines, "decline", billing_key, *what_for, tries)

    def _is_card_dead(self, billing_key: str, day: date) -> bool:
        """Cards die on the first of a month, one draw for each month that has passed."""
        months = day.year * 12 + day.month
        share = self._faults.dead_cards
        return any(
            self._luck.hits(share, "dead", billing_key, month)
            for month in range(months - 24 if share else months, months)
        )

    def _told(self, order: Order) -> Answer:
        if order.declined_by is not None:
            refused = classify([(SOURCE, order.declined_by)])
            is_certain = refused.outcome in (Outcome.DECLINED, Outcome.MISCONFIGURED)
            # The payment has ended, so no money moved, whatever the code alone leaves open.
            return refused if is_certain else replace(refused, outcome=Outcome.DECLINED)
        if order.is_taken(self.now):
            arrived = order.amount if order.is_account else None
            return Answer(
                Outcome.APPROVED,
                "approved by the gateway",
                gateway_key=order.gateway_key,
                amount=order.amount,
                refunded=order.refunded(),
                deposited=arrived,
                deposit_key=f"deposit-{order.gateway_key}" if arrived else None,
                approval_number=order.gateway_key,
            )
        if order.account_due_at is None:
            return Answer(Outcome.IN_PROGRESS, "in progress at the gateway", code="IN_PROGRESS")
        return self._told_of_account(order, order.account_due_at)

    def _told_of_account(self, order: Order, due_at: datetime) -> Answer:
        nothing = Money(0, order.amount.currency)
        if order.is_closed or due_at <= self.now:
            return Answer(
                Outcome.DECLINED,
                "cancelled before the deposit" if order.is_closed else "no deposit in time",
                code="DEPOSIT_CANCELLED" if order.is_closed else "DEPOSIT_EXPIRED",
                deposited=nothing,
                failure_class=FailureClass.AUTHENTICATION,
                retry_mode="later",
            )
        number = f"ab{order.gateway_key}"
        return Answer(
            Outcome.PENDING,
            "waiting for the deposit",
            gateway_key=order.gateway_key,
            deposited=nothing,
            account=Account("20", number, due_at, secret=None, is_expired=False),
        )

    def _is_down(self) -> bool:
        """Once a month, from an hour of a day on."""
        if not self._faults.outage_hours:
            return False
        month = f"{seoul_date(self.now):%Y-%m}"
        hour = int(self._luck.draw("outage", month) * 28 * 24)
        start = seoul_date(self.now).replace(day=1)
        passed = (self.now - datetime.combine(start, datetime.min.time(), self.now.tzinfo)) / (
            timedelta(hours=1)
        )
        return hour <= passed < hour + self._faults.outage_hours

    def _way_there(self, act: str, name: tuple[str, ...]) -> Answer | None:
        """What keeps a request from being carried out."""
        if self._is_down():
            return fault("CONNECT_REFUSED", "out of order", outcome=Outcome.NOT_SENT)
        self.calls += 1
        self._tries[act, name] += 1
        if self._hits(self._faults.lost_before, act, name, "before"):
            return fault("READ_TIMEOUT", "no readable answer")
        if self._hits(self._faults.errors_500 / 2, act, name, "500 before"):
            return fault("HTTP_5XX_NO_CODE", "an error without a code")
        return None

    def _way_back(self, act: str, name: tuple[str, ...]) -> Answer | None:
        """What keeps an answer from arriving. Raises WorkerKilled."""
        if self.kills_worker:
            raise WorkerKilled
        if self._hits(self._faults.lost_after, act, name, "after"):
            return fault("CONNECTION_RESET", "no readable answer")
        if self._hits(self._faults.errors_500 / 2, act, name, "500 after"):
            return fault("HTTP_5XX_NO_CODE", "an error without a code")
        return None

    def _hits(self, share: float, act: str, name: tuple[str, ...], what: str = "") -> bool:
        """Each try has its own luck."""
        return self._luck.hits(share, act, *name, what, self._tries[act, name])


def _has_expired(billing_key: str, day: date) -> bool:
    """A card's registration ends with its last month, counted from year 0."""
    return day.year * 12 + day.month - 1 >= int(billing_key.rpartition(".")[2])
