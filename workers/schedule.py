"""The timetable: what the leading scheduler does again and again, besides what is due by data.

Dates and amounts that are due stand on their rows (subscriptions, attempts, notices); nothing
about money is written here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta

from opsapp.audit import sealing
from opsapp.checkout import ending
from opsapp.kernel import jobs, timetable
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.timetable import Daily, Every
from opsapp.payments import comparing
from opsapp.subscriptions import repricing


@dataclass(frozen=True, slots=True)
class Entry:
    """A `step` runs in the transaction that takes its slot, a `procedure` after it.

    Slots are real time. What a crash makes of a procedure, its next slot mends.
    """

    name: str
    when: Every | Daily
    step: Callable[[], object] | None = None
    procedure: Callable[[], object] | None = None


TIMETABLE = (
    Entry("checkout.expire", Every(timedelta(minutes=1)), step=ending.expire),
    Entry(
        "subscriptions.plan_missing_prices", Daily(time(3, 30), SEOUL), step=repricing.plan_missing
    ),
    Entry("payments.order_looks", Daily(time(5, 30), SEOUL), step=comparing.order_looks),
    Entry("audit.anchor", Every(timedelta(minutes=1)), procedure=sealing.anchor),
    Entry("jobs.purge_history", Daily(time(4, 10), SEOUL), procedure=jobs.purge_history),
    Entry("timetable.purge_slots", Daily(time(4, 20), SEOUL), step=timetable.purge_slots),
)
