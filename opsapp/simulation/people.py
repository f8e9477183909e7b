"""Customers who come, pay, change their minds and leave, and staff who help or give money back."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.customers.payment_methods import VIRTUAL_ACCOUNT, NewMethod, add_methods
from opsapp.customers.registering import NewCustomer, register_customers
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction, within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.money import Money
from opsapp.payments.refunding import RefundWish, request_refund
from opsapp.simulation import comers, queries
from opsapp.simulation.comers import PLANS, Comer
from opsapp.simulation.luck import Luck
from opsapp.simulation.world import World
from opsapp.subscriptions import (
    asking_consent,
    cancelling,
    changing,
    pausing,
    renewing,
    repricing,
    switching,
)
from opsapp.subscriptions.previewing_changes import NOW, PERIOD_END, ChangeWish
from opsapp.subscriptions.repricing import NewVersion
from opsapp.subscriptions.subscribing import NewSubscription, subscribe

CUSTOMER = Actor("customer", "simulation")
STAFF = Actor("staff", "simulation")

# Of one subscription on one day.
WISHES = {
    "cancel": 0.0003,
    "cancel_at_period_end": 0.0004,
    "pause": 0.0006,
    "change_card": 0.0006,
    "change_plan": 0.0008,
    "change_quantity": 0.0004,
    "change_day": 0.0003,
    "hold": 0.0001,
    "charge_now": 0.0002,
}
SHORT = 0.04  # of a day, that somebody leaves who pays each day
NEW_CARD = 0.05  # of a day on which something is owed
CARD_WHEN_TOLD = 0.3  # of the messages that ask for another card
STAFF_RETRY = 0.03
RESUME = 0.05
RELEASE = 0.2
KEEP = 0.03
REFUND = 0.006  # of a payment of the day before
AGREES = 0.85  # to a higher price; whoever does not may leave
LEAVES_OVER_PRICE = 0.5
RISE_EVERY = 8  # months: then a plan of many gets dearer, or cheaper
REPRICED = ("monthly-a", "monthly-b")
OTHER_PLAN = {"monthly-a": "monthly-b", "monthly-b": "monthly-a", "quarterly": "monthly-a"}
_CONSENT_LINK = re.compile(r"/my/consent/(\S+)")
_ASKS_FOR_CARD = ("method_expiring", "method_expired_update", "subscription_suspended")


@dataclass(slots=True)
class People:
    """`cancelled` holds the moment of each confirmation, `moved` whose billing days changed."""

    world: World
    luck: Luck
    wished: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cancelled: dict[str, datetime] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    _comers: dict[date, list[Comer]] = field(default_factory=dict)
    _cards: Counter[str] = field(default_factory=Counter)
    _plans: dict[str, int] = field(default_factory=dict)
    _read: int = 0

    def expect(self, count: int, *, first_day: date, days: int) -> None:
        for number in range(count):
            comer = comers.draw(self.luck, f"C{number:05d}", first_day=first_day, days=days)
            self._comers.setdefault(comer.starts_on, []).append(comer)

    def live(self, day: date) -> None:
        """One morning."""
        with transaction():
            self._come(self._comers.pop(day, []))
        with transaction():
            rows = queries.list_going_on()
            newer = queries.list_open_methods()
        fresh: dict[int, list[Any]] = {}
        for method in newer:
            fresh.setdefault(method.customer_id, []).append(method)
        by_ref = {row.ref: row for row in rows}
        self._read_mail(by_ref, day)
        for row in rows:
            self._wish(row, fresh.get(row.customer_id, []), day)
        self._refund(day)
        if day.day == 5 and day.month % RISE_EVERY == 2:
            self._reprice(day)

    def _wish(self, row: Any, fresh: Sequence[Any], day: date) -> None:
        ready = [method.id for method in fresh if method.status == "active"]
        if ready:
            self._try("switch", lambda: self._switch(row, ready[-1]))
        elif not fresh:
            self._act_on_status(row, day)
        wishes = WISHES | {"cancel": SHORT} if row.interval == "day" else WISHES
        if wish := self.luck.choose(wishes, "wish", row.ref, day):
            acts: dict[str, Callable[[], object]] = {
                "cancel": lambda: self._cancel(row),
                "cancel_at_period_end": lambda: self._leave(row),
                "pause": lambda: self._pause(row, day),
                "change_card": lambda: self._add_card(row, day),
                "change_plan": lambda: self._change_plan(row, day),
                "change_quantity": lambda: self._change(row, ChangeWish(quantity=2)),
                "change_day": lambda: self._change_day(row, day),
                "hold": lambda: pausing.hold(row.id, because="suspected fraud", by=STAFF),
                "charge_now": lambda: renewing.charge_now(row.id, by=STAFF),
            }
            self._try(wish, acts[wish])

    def _act_on_status(self, row: Any, day: date) -> None:
        """What people do about where they stand."""
        if row.status in ("past_due", "suspended"):
            if self.luck.hits(NEW_CARD, "new card", row.ref, day):
                self._try("new_card", lambda: self._add_card(row, day))
            elif self.luck.hits(STAFF_RETRY, "staff retry", row.ref, day):
                self._try("staff_retry", lambda: renewing.charge_now(row.id, by=STAFF))
        elif row.status == "paused" and self.luck.hits(RESUME, "resume", row.ref, day):
            self._try("resume", lambda: pausing.resume(row.id, by=CUSTOMER))
        elif row.status == "cancelling" and self.luck.hits(KEEP, "keep", row.ref, day):
            self._try("keep", lambda: self._keep(row))
        elif row.is_billing_blocked and self.luck.hits(RELEASE, "release", row.ref, day):
            because = "it was the customer"
            self._try("release", lambda: pausing.release(row.id, because=because, by=STAFF))

    def _try(self, name: str, act: Callable[[], object]) -> None:
        """A refusal is an answer too."""
        try:
            with transaction():
                act()
        except OpsError as refusal:
            self.refused[f"{name}: {refusal.code}"] += 1
        else:
            self.wished[name] += 1

    def _read_mail(self, by_ref: dict[str, Any], day: date) -> None:
        """Since yesterday: requests for consent, and for another card."""
        news = self.world.channel.carried[self._read :]
        self._read = len(self.world.channel.carried)
        for message in sorted(news, key=lambda each: (each.recipient, each.kind)):
            row = by_ref.get(message.recipient.partition("@")[0].upper())
            if row is None:
                continue
            if link := _CONSENT_LINK.search(message.text):
                self._answer(row, link[1], day)
            elif message.kind in _ASKS_FOR_CARD and self.luck.hits(
                CARD_WHEN_TOLD, "told", row.ref, day
            ):
                self._try("card_when_told", partial(self._add_card, row, day))

    def _answer(self, row: Any, token: str, day: date) -> None:
        if self.luck.hits(AGREES, "agrees", row.ref, day):
            self._try("agree", lambda: self._agree(row, token))
        elif self.luck.hits(LEAVES_OVER_PRICE, "leaves", row.ref, day):
            self._try("cancel_at_period_end", lambda: self._leave(row))

    def _agree(self, row: Any, token: str) -> None:
        question = asking_consent.find_question(row.id, locale="ko")
        if question is not None:
            shown = question.offer.shown.hash
            asking_consent.agree(token, row.id, seen_hash=shown, locale="ko", by=CUSTOMER)

    def _cancel(self, row: Any) -> None:
        cancelling.cancel(row.id, because="the customer cancelled", by=CUSTOMER)
        self.cancelled[row.ref] = self.world.now

    def _leave(self, row: Any) -> None:
        """At the end of the period; where none runs any more, at once."""
        today = self.world.today
        if cancelling.cancel_at_period_end(row.id, by=CUSTOMER) <= today:
            self.cancelled[row.ref] = self.world.now

    def _keep(self, row: Any) -> None:
        cancelling.keep(row.id, by=CUSTOMER)

    def _pause(self, row: Any, day: date) -> None:
        until = day + timedelta(days=20) if self.luck.hits(0.6, "until", row.ref, day) else None
        keeps = "keep" if self.luck.hits(0.3, "keeps retries", row.ref, day) else "withdraw"
        pausing.pause(row.id, until=until, open_retries=keeps, by=CUSTOMER)

    def _change_plan(self, row: Any, day: date) -> None:
        codes = {plan_id: code for code, plan_id in self._plans.items()}
        other = OTHER_PLAN.get(codes[row.plan_id], "monthly-b")
        when = NOW if self.luck.hits(0.5, "when", row.ref, day) else PERIOD_END
        self._change(row, ChangeWish(plan_id=self._plans[other], when=when))

    def _change_day(self, row: Any, day: date) -> None:
        anchors = comers.ANCHORS
        anchor = anchors[int(self.luck.draw("other day", row.ref, day) * len(anchors))]
        self._change(row, ChangeWish(anchor_day=anchor))

    def _change(self, row: Any, wish: ChangeWish) -> None:
        """Preview and confirmation, as a screen does it."""
        seen = changing.preview_change(row.id, wish)
        changing.change(row.id, wish, seen=seen.fingerprint, by=CUSTOMER)
        if not seen.before.has_rhythm_of(seen.after):
            self.moved.add(row.ref)

    def _reprice(self, day: date) -> None:
        """For everybody who has the plan, in two months' time."""
        code = REPRICED[int(self.luck.draw("dearer", day) * len(REPRICED))]
        base = next(won for name, _, _, won, _ in PLANS if name == code)
        amount = base + (-300 if self.luck.hits(0.3, "cheaper", day) else 100 * day.month)
        wish = NewVersion(Money(amount, "KRW"), day + timedelta(days=60), applies_to_existing=True)
        self._try("reprice", lambda: repricing.reprice(self._plans[code], wish, by=STAFF))

    def _switch(self, row: Any, method_id: int) -> None:
        switching.switch_method(row.id, payment_method_id=method_id, by=CUSTOMER)

    def _add_card(self, row: Any, day: date) -> None:
        add_methods([self._card(row.customer_id, row.ref, day)], by=CUSTOMER)

    def _refund(self, day: date) -> None:
        since = self.world.now - timedelta(days=1)
        with transaction():
            paid = queries.list_refundable(since)
        for payment in paid:
            name = ("refund", payment.ref, payment.period_index, day)
            if payment.method_kind != VIRTUAL_ACCOUNT and self.luck.hits(REFUND, *name):
                self._try("refund", partial(self._give_back, payment, day))

    def _give_back(self, payment: Any, day: date) -> None:
        left = payment.captured_minor - payment.refunded_minor - payment.refund_pending_minor
        in_part = self.luck.hits(0.5, "in part", payment.ref, day)
        wish = RefundWish(
            request_id=f"sim-{payment.id}-{day}",
            amount=Money(max(1, left // 3) if in_part else left, payment.currency),
            seen_refundable_minor=left,
            reason="단순 변심",
        )
        request_refund(payment.id, wish, by=STAFF)

    @within_transaction
    def _come(self, new: Sequence[Comer]) -> None:
        if not new:
            return
        self._plans = add_plans(
            [
                NewPlan(code, f"구독 {code}", Money(won, "KRW"), interval, count)
                for code, interval, count, won, _ in PLANS
            ],
            by=STAFF,
        )
        ids = register_customers(
            [
                NewCustomer(c.ref, c.ref, f"{c.ref.lower()}@example.com", "010-0000-1234")
                for c in new
            ],
            by=CUSTOMER,
        )
        methods = add_methods([self._method(ids[c.ref], c) for c in new], by=CUSTOMER)
        subscribe(
            [self._agreed(ids[c.ref], id_, c) for c, id_ in zip(new, methods, strict=True)],
            by=CUSTOMER,
        )

    def _agreed(self, customer_id: int, method_id: int, comer: Comer) -> NewSubscription:
        return NewSubscription(
            customer_id,
            self._plans[comer.plan],
            method_id,
            anchor_day=comer.anchor_day,
            trial_days=comer.trial_days,
            term_periods=comer.term_periods,
            quantity=comer.quantity,
            terms_version="2026-01",
        )

    def _method(self, customer_id: int, comer: Comer) -> NewMethod:
        if comer.kind == VIRTUAL_ACCOUNT:
            return NewMethod(customer_id, comer.kind, is_default=True)
        return self._card(customer_id, comer.ref, comer.starts_on, kind=comer.kind)

    def _card(self, customer_id: int, ref: str, day: date, *, kind: str = "card") -> NewMethod:
        """Its own name says when it ends, so the gateway need not be told."""
        self._cards[ref] += 1
        number = self._cards[ref]
        month = day.year * 12 + day.month + 4 + int(44 * self.luck.draw("lasts", ref, number))
        return NewMethod(
            customer_id,
            kind,
            auth_key=f"{kind}.{ref}.{number}.{month}",
            is_default=True,
            expires_on=_last_day(month) if kind == "card" else None,
        )


def _last_day(month: int) -> date:
    """Of a month counted from year 0, as a card has it."""
    year, month0 = divmod(month, 12)
    return date(year, month0 + 1, 1) - timedelta(days=1)
