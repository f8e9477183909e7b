"""Which events there are, how often they are sent, and which addresses are taken."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from opsapp.kernel.errors import Invalid

# The first try is at once; these are the waits after a failed one: three days in all.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
DISABLED_AFTER = timedelta(days=3)  # without one good answer
REPLAYED_BACK = timedelta(days=30)  # the farthest that missed events are asked for again
SECRETS_OVERLAP = timedelta(hours=24)  # both are signed with, so that the shop can change over
SECRET_PREFIX = "whsec_"  # noqa: S105 - of Standard Webhooks, before the secret itself
SECRET_BYTES = 32

ABREAST = 8  # sendings to one address at a time
PROBES = 2  # the same, while it takes nothing
PROBES_APART = timedelta(seconds=15)
ENDPOINTS_MAX = 20
NOTE_LENGTH_MAX = 100
ANSWER_LENGTH_MAX = 500  # of what an address said, as it is kept

TRIAL = "endpoint.test"

_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){6,}")
_EMAIL = re.compile(r"[^\s@\"<>]+@[^\s@\"<>]+")
_SECRET = re.compile(r"(?:whsec|sk|ops)_\S+")


@dataclass(frozen=True, slots=True)
class EventType:
    """`actions`: of the log. `come_from`: only out of these states; empty means any."""

    name: str
    meaning: str
    actions: tuple[str, ...]
    come_from: tuple[str, ...] = ()

    @property
    def object_type(self) -> str:
        return self.name.partition(".")[0]


def _moved(name: str, meaning: str, *come_from: str) -> EventType:
    """One that the log calls by the same name."""
    return EventType(name, meaning, (name,), come_from)


_PAYMENTS = (
    _moved("payment.paid", "The money was collected.", "pending", "awaiting_deposit", "failed"),
    _moved("payment.failed", "It was declined, or no deposit came in time."),
    EventType(
        "payment.retrying", "Another attempt was planned.", ("payment.pending",), ("failed",)
    ),
    _moved("payment.cancelled", "Nobody collects it any more."),
    EventType(
        "payment.awaiting_deposit",
        "A virtual account was issued for it.",
        ("payment.awaiting_deposit",),
        ("pending",),
    ),
    EventType(
        "payment.deposit_reversed",
        "The bank took the deposit back.",
        ("payment.awaiting_deposit",),
        ("paid",),
    ),
    _moved("payment.partly_refunded", "Part of it was given back."),
    _moved("payment.refunded", "All of it was given back."),
)
_REFUNDS = (
    EventType("refund.requested", "Somebody asked for it.", ("refund.requested",), ("",)),
    EventType("refund.succeeded", "It was given back.", ("refund.succeeded", "refund.adopted")),
    _moved("refund.refused", "The gateway refused; no money moved."),
    _moved("refund.withdrawn", "It was taken back before anything was sent."),
    _moved("refund.awaiting_account", "The customer must name a bank account first."),
)
_DEPOSITS = (
    EventType("deposit.unmatched", "Money came that nothing wanted.", ("unmatched_money.opened",)),
    EventType("deposit.returned", "Such money was given back.", ("unmatched_money.returned",)),
    EventType(
        "deposit.accepted",
        "Such money was accepted for its payment.",
        ("unmatched_money.accepted",),
    ),
)
LEG_MOVED = ("order_leg.paid", "order_leg.released")
_ORDERS = (
    _moved("order.placed", "It was placed; its legs are charged."),
    EventType("order.leg_paid", "One of its legs was paid.", ("order_leg.paid",)),
    EventType("order.leg_released", "One of its legs was given up.", ("order_leg.released",)),
    EventType("order.leg_reopened", "Money of a leg was taken back.", ("order_leg.open",)),
    EventType("order.paid", "All of it is paid.", ("order.placed", *LEG_MOVED)),
    EventType("order.partly_paid", "What is not given up of it is paid.", LEG_MOVED),
    EventType("order.released", "All of it was given up.", LEG_MOVED),
)
_SUBSCRIPTIONS = (
    _moved("subscription.started", "It began."),
    _moved("subscription.trialing", "It goes on with its trial."),
    _moved("subscription.active", "It is in order, for the first time or again."),
    _moved("subscription.past_due", "A period is owed."),
    _moved("subscription.suspended", "Its service stops until it is paid."),
    _moved("subscription.paused", "It stands still until it is resumed."),
    _moved("subscription.cancelling", "It ends with its period."),
    _moved("subscription.cancelled", "It has ended early."),
    _moved("subscription.expired", "Its fixed term is over."),
)
_CHECKOUTS = (
    _moved("checkout.opened", "A shopper was asked to pay."),
    _moved("checkout.paid", "They paid."),
    _moved("checkout.expired", "They did not pay in time."),
    _moved("checkout.cancelled", "It was withdrawn."),
)
_METHODS = (
    _moved("payment_method.active", "It can be charged."),
    _moved("payment_method.refused", "The gateway did not register it."),
    _moved("payment_method.expired", "It cannot be charged any more."),
    _moved("payment_method.blocked", "It is not charged any more."),
    _moved("payment_method.deleted", "It is gone."),
)

# Every event that the shop can be told; the API documents this table.
TYPES: dict[str, EventType] = {
    each.name: each
    for each in (
        *_PAYMENTS, *_REFUNDS, *_DEPOSITS, *_ORDERS, *_SUBSCRIPTIONS, *_CHECKOUTS, *_METHODS,
        EventType(TRIAL, "Staff try whether the address answers.", ()),
    )
}  # fmt: skip
# Told after what settled it.
SETTLED = ("order.paid", "order.partly_paid", "order.released")
ACTIONS = tuple(dict.fromkeys(action for each in TYPES.values() for action in each.actions))


def types_of(object_type: str) -> tuple[EventType, ...]:
    return tuple(each for each in TYPES.values() if each.object_type == object_type)


def require_types(names: list[str]) -> list[str]:
    """The names in the order of the table; none means all. Raises Invalid."""
    unknown = sorted(set(names) - TYPES.keys())
    if unknown:
        raise Invalid(field="types", reason=f"there is no event {unknown[0]}.")
    return [name for name in TYPES if name in set(names)]


def wait_after(tries: int) -> timedelta | None:
    """How long to wait after so many failed tries; None when it is given up."""
    return WAITS[tries - 1] if tries <= len(WAITS) else None


def is_taken(answer_status: int | None) -> bool:
    return answer_status is not None and 200 <= answer_status < 300


def wants_no_more(answer_status: int | None) -> bool:
    return answer_status == HTTPStatus.GONE


def write_secret(secret: bytes) -> str:
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def read_secret(written: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(written.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("no secret") from error


def kept_answer(text: str) -> str:
    """What an address said, short and without what it may have repeated of somebody."""
    # Cut first: a stranger's long text makes patterns slow.
    beginning = text[: 2 * ANSWER_LENGTH_MAX]
    masked = _SECRET.sub("***", _EMAIL.sub("***", _LONG_NUMBER.sub("***", beginning)))
    printable = "".join(c if c.isprintable() else " " for c in masked)
    return " ".join(printable.split())[:ANSWER_LENGTH_MAX]
