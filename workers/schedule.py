"""The timetable: what the leading scheduler does again and again, besides what is due by data.

Dates and amounts that are due stand on their rows (subscriptions, attempts, notices); nothing
about money is written here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta

from opsapp.approvals import expiring as approvals_expiring
from opsapp.audit import sealing
from opsapp.checkout import ending
from opsapp.customers import signing_in
from opsapp.exports import expiring as exports_expiring
from opsapp.kernel import jobs, timetable
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.timetable import Daily, Every
from opsapp.orders import releasing
from opsapp.payments import comparing
from opsapp.points import expiring as points_expiring
from opsapp.programs import answering
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
    Entry("approvals.expire", Every(timedelta(minutes=1)), step=approvals_expiring.expire),
    Entry("checkout.expire", Every(timedelta(minutes=1)), step=ending.expire),
    Entry("orders.release_due", Every(timedelta(minutes=1)), step=releasing.release_due),
    Entry(
        "subscriptions.plan_missing_prices", Daily(time(3, 30), SEOUL), step=repricing.plan_missing
    ),
    Entry("payments.order_looks", Daily(time(5, 30), SEOUL), step=comparing.order_looks),
    # Nobody can spend what is over before this runs either.
    Entry("points.expire", Every(timedelta(minutes=1)), procedure=points_expiring.expire_all),
    Entry(
        "points.tell_of_expiring", Every(timedelta(minutes=1)), procedure=points_expiring.tell_all
    ),
    Entry("audit.anchor", Every(timedelta(minutes=1)), procedure=sealing.anchor),
    Entry("customers.answer_sign_ins", Every(timedelta(minutes=1)), step=signing_in.answer_waiting),
    Entry("customers.purge_sign_ins", Daily(time(4, 0), SEOUL), step=signing_in.purge),
    Entry("jobs.purge_history", Daily(time(4, 10), SEOUL), procedure=jobs.purge_history),
    Entry("programs.purge_answers", Every(timedelta(hours=1)), step=answering.purge),
    Entry("exports.expire", Every(timedelta(hours=1)), step=exports_expiring.expire),
    Entry("timetable.purge_slots", Daily(time(4, 20), SEOUL), step=timetable.purge_slots),
)
