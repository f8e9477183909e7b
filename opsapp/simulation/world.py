"""The machine room of a simulated installation: scheduler, relay and workers in one process.

The verbs are those of the product. What stands between them, time and hints and wires, is ours:
the clock goes where it is told, a hint may never arrive, and a worker may die with answers in its
hand.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

from opsapp.audit import sealing
from opsapp.customers import issuing
from opsapp.gateways.values import WebhookMessage
from opsapp.kernel import turns
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import SEOUL, seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.scratch import set_virtual_now
from opsapp.kernel.turns import Work
from opsapp.notifications import delivering
from opsapp.notifications.waking import NOTICES
from opsapp.payments import applying, charging, comparing, receiving, refunding
from opsapp.points import expiring as points_expiring
from opsapp.reactions import WORK
from opsapp.recovery import following
from opsapp.routing.queries import list_gateway_names
from opsapp.routing.resting import count_askable
from opsapp.simulation import queries
from opsapp.simulation.books import Order
from opsapp.simulation.channel import SimulatedChannel
from opsapp.simulation.gateway import SimulatedGateway
from opsapp.simulation.luck import Luck, Profile
from opsapp.simulation.queue import Hint, SimulatedQueue
from opsapp.subscriptions import (
    announcing,
    ending,
    expiring,
    renewing,
    repricing,
    running,
)

SLICE = 200
ROWS_MAX = 10_000
AWAKE_FROM = 9  # o'clock in Seoul
ROUNDS_MAX = 20  # at one moment: what goes on for longer waits for the next

# What workers/jobs/ does with a hint.
TURNS: dict[str, tuple[Callable[..., None], str]] = {
    "payments.execute_attempts": (charging.execute_attempts, "attempt_ids"),
    "payments.execute_refunds": (refunding.execute_refunds, "refund_ids"),
    "payments.read_events": (applying.read_events, "event_ids"),
    "customers.issue_billing_keys": (issuing.issue_billing_keys, "method_ids"),
    "notifications.send_notices": (delivering.send_notices, "notice_ids"),
}
SWEEPS: dict[str, Callable[..., int]] = {
    queries.END: ending.end_due,
    queries.LIFT: ending.end_due,
    queries.RENEW: renewing.renew_due,
    queries.ANNOUNCE: announcing.announce_due,
    queries.RECOVER: following.take_up_due,
}
TIMETABLE: tuple[Callable[[], object], ...] = (repricing.plan_missing, running.close_runs)
_LOOK = "payments.look_into_latest"


class World:
    def __init__(self, luck: Luck, faults: Profile, *, now: datetime) -> None:
        self.now = now
        self.luck = luck
        self.faults = faults
        self.gateway = SimulatedGateway(luck, faults, now=now)
        self.channel = SimulatedChannel(luck, faults, now=now)
        self.queue = SimulatedQueue(luck, faults, now=now)
        self.done: Counter[str] = Counter()
        self._jobs: Counter[tuple[str, datetime]] = Counter()
        self._barren: dict[str, tuple[date, datetime]] = {}
        self._messages: list[tuple[datetime, WebhookMessage]] = []

    def go_to(self, moment: datetime) -> None:
        self.now = moment
        for part in (self.gateway, self.channel, self.queue):
            part.now = moment
        set_virtual_now(moment)

    def calm_down(self) -> None:
        """From now on nothing goes wrong any more: what is uncertain finds its end."""
        self.faults = Profile()
        for part in (self.gateway, self.channel, self.queue):
            part.calm_down()

    def work(self) -> datetime | None:
        """Scheduler, relay and workers until there is nothing to do at this moment.

        Returns the next moment at which there is.
        """
        ahead: dict[str, datetime] = {}
        for _ in range(ROUNDS_MAX):
            self._hear()
            with transaction():
                ahead = queries.list_next_moments()
            due = {name: at for name, at in ahead.items() if at <= self.now}
            made = self._sweep(due)
            if not self._wake(due) + self.queue.run(self._do) + made:
                break
        return self._next_moment(ahead)

    def seal(self) -> None:
        """The log so far, with an anchor outside."""
        with transaction():
            while sealing.seal():
                pass
        sealing.anchor()

    def keep_timetable(self) -> None:
        """What the scheduler does by the calendar and not by data."""
        for step in TIMETABLE:
            with transaction():
                step()
        for sweep in (
            _tell_of_prices,
            expiring.tell_of_expiring,
            points_expiring.expire_due,
            points_expiring.tell_of_expiring,
        ):
            _in_slices(sweep)

    def look_into_books(self) -> None:
        with transaction():
            comparing.order_looks()

    @property
    def today(self) -> date:
        return seoul_date(self.now)

    def _next_moment(self, ahead: dict[str, datetime]) -> datetime | None:
        """What was tried now and is still there waits for the next stop of the clock."""
        messages = (at for at, _ in self._messages)
        others = [self.queue.next_at(), self.gateway.next_news_at(), *messages]
        moments = [*ahead.values(), *(moment for moment in others if moment is not None)]
        return min(moments, default=None)

    def _sweep(self, due: Mapping[str, datetime]) -> int:
        """What the leading scheduler does; at times two think that they lead.

        One that found nothing, although something is due, need not look again today.
        """
        leaders = 1 + self.luck.hits(self.faults.two_schedulers, "leaders", self.now)
        total = 0
        for name, sweep in SWEEPS.items():
            if name not in due or self._barren.get(name) == (self.today, due[name]):
                continue
            made = sum(_in_slices(sweep) for _ in range(leaders))
            if not made:
                self._barren[name] = (self.today, due[name])
            total += made
        return total

    def _wake(self, due: Mapping[str, datetime]) -> int:
        """The relay: hints for what is due, as far as its gateway may be asked."""
        wanted = [work for work in WORK if work.name in due and not self._is_too_early_for(work)]
        if not wanted:
            return 0
        woken = 0
        with transaction():
            askable = count_askable()
            for work in wanted:
                for lane in list_gateway_names() if work.lane else [""]:
                    if rows_max := askable.get(lane, ROWS_MAX):
                        woken += turns.wake(work, rows_max=rows_max, lane=lane)
        return woken

    def _is_too_early_for(self, work: Work) -> bool:
        """Nobody reads their messages at midnight, and in the morning they go out together."""
        return work is NOTICES and self.now.astimezone(SEOUL).hour < AWAKE_FROM

    def _do(self, hint: Hint) -> None:
        """A worker's job. One that is killed has sent everything and recorded nothing."""
        self.done[hint.job] += 1
        if hint.job == _LOOK:
            comparing.look_into_latest(**hint.arguments)
            return
        act, argument = TURNS[hint.job]
        self._jobs[hint.job, self.now] += 1
        name = (hint.job, self.now, self._jobs[hint.job, self.now])
        self.gateway.kills_worker = self.luck.hits(self.faults.worker_killed, "killed", *name)
        act(hint.arguments[argument], by=Actor("worker", hint.job))
        self.gateway.kills_worker = False

    def _hear(self) -> None:
        """What the gateway says unasked: of deposits, at times twice, and the second time late."""
        for order in self.gateway.take_news():
            self._messages.append((self.now, _deposit_message(order)))
            if self.luck.hits(self.faults.webhooks_doubled, "webhook", *order.what_for):
                again = self.now + timedelta(hours=9)
                self._messages.append((again, _deposit_message(order)))
        heard = [message for at, message in self._messages if at <= self.now]
        self._messages = [(at, message) for at, message in self._messages if at > self.now]
        self._receive(heard)

    def _receive(self, messages: Sequence[WebhookMessage]) -> None:
        for message in messages:
            with transaction():
                receiving.receive(self.gateway.name, message, b"{}")


def _in_slices(sweep: Callable[..., int]) -> int:
    total, count = 0, SLICE
    while count == SLICE:
        with transaction():
            count = sweep(limit=SLICE)
        total += count
    return total


def _tell_of_prices(*, limit: int) -> int:
    return repricing.tell_slice(limit=limit)[0]


def _deposit_message(order: Order) -> WebhookMessage:
    return WebhookMessage(
        delivery_id=f"deposit-{order.gateway_key}",
        event_type="DEPOSIT_CALLBACK",
        gateway_order_id=order.order_id,
        gateway_key=order.gateway_key,
        said_status="DONE",
        is_signed=True,
    )
