"""Who is told what by which channel, at which hours, and when another try or channel follows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from opsapp.kernel.clock import SEOUL
from opsapp.kernel.errors import Invalid

TURNS_MAX = 12
# With another channel left nobody waits for hours: after these it goes there.
TURNS_BEFORE_FALLBACK = 4
_WAITS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
)

# No telephone rings at night for what can wait (the hours of 정보통신망법 50); mail rings nobody.
QUIET_FROM, QUIET_UNTIL = time(21), time(8)
RINGING = frozenset({"sms", "fcm", "webpush"})

# Orders of channels. Only those that the installation has and the customer can be reached by count.
PHONE_FIRST = ("sms", "fcm", "webpush", "email")
PUSH_FIRST = ("fcm", "webpush", "email", "sms")
MAIL_ONLY = ("email",)
# Begun where they asked from, and gone around: never by push, which shows on a locked screen.
SIGN_IN = ("sms", "email", "sms")
SIGN_IN_PLACE = {"sms": 0, "email": 1}

EMAIL, SHORT = "email", "short"
LOCALES = ("ko", "en")
REASON_LENGTH = range(5, 301)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a notice of this kind may say, and how it goes out. `urgent`: at any hour."""

    variables: tuple[str, ...]
    optional: tuple[str, ...] = ()
    order: tuple[str, ...] = PHONE_FIRST
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """A page that a message lets its reader into: the address without the token, and how long."""

    purpose: str
    path: str
    life: timedelta


_MONEY = ("amount_minor", "currency")
_PRICE = ("old_minor", "new_minor", "currency")
_RECOVERY = (*_MONEY, "next_try_at", "attempt", "attempts_max")
_SUBSCRIPTION = Opening("subscription", "/my/subscription/", timedelta(days=30))
_METHOD = Opening("payment_method", "/my/payment-method/", timedelta(days=30))

# The link is made when the message is sent: its token stands in no row.
LINKED = {
    # Longer than any payment link lives: the page itself says when it is over.
    "payment_link": Opening("checkout", "/pay/", timedelta(days=33)),
    "my_page_link": Opening("my_page", "/my/sign-in/", timedelta(minutes=15)),
    "refund_account_asked": Opening("refund_account", "/my/refund-account/", timedelta(days=7)),
    "upcoming_charge": _SUBSCRIPTION,
    "trial_ending": _SUBSCRIPTION,
    "price_change": Opening("consent", "/my/consent/", timedelta(days=60)),
    "method_expiring": _METHOD,
    "method_expired_update": _METHOD,
    "payment_failed": _METHOD,
    "payment_method_unusable": _METHOD,
    "recovery_reminder": _METHOD,
    "recovery_last_warning": _METHOD,
    "subscription_suspended": _METHOD,
}

KINDS = {
    "payment_link": Kind((*_MONEY, "title", "pay_by"), urgent=True),
    "refund_account_asked": Kind(_MONEY, urgent=True),
    "my_page_link": Kind((), order=SIGN_IN, urgent=True),
    "deposit_requested": Kind((*_MONEY, "bank", "account", "due_at"), urgent=True),
    "refund_made": Kind((*_MONEY, "at"), order=PUSH_FIRST),
    "payment_failed": Kind((*_MONEY, "at")),
    "payment_method_unusable": Kind((*_MONEY, "at")),
    "payment_method_deleted": Kind(("at",)),
    "payment_receipt": Kind((*_MONEY, "at"), ("plan",), order=MAIL_ONLY),
    "upcoming_charge": Kind(("plan", *_MONEY, "charge_on", "method_label")),
    "trial_ending": Kind(("plan", *_MONEY, "charge_on")),
    "price_change": Kind(("plan", *_PRICE, "from_on", "method_label")),
    "plan_changed": Kind(("plan", *_MONEY, "from_on"), order=PUSH_FIRST),
    "plan_change_unpaid": Kind(("plan", *_MONEY), order=PUSH_FIRST),
    "consent_withdrawn": Kind((), ("plan",), order=PUSH_FIRST),
    "method_expiring": Kind(("method_label", "expires_on")),
    "method_expired_update": Kind((), ("method_label", "expires_on")),
    "points_expiring": Kind(("points", "last_on"), order=PUSH_FIRST),
    "gateway_trouble_apology": Kind((*_MONEY, "next_try_at"), order=PUSH_FIRST),
    "recovery_reminder": Kind(_RECOVERY),
    "recovery_last_warning": Kind(_RECOVERY),
    "subscription_suspended": Kind((), ("amount_minor", "currency")),
    "subscription_paused": Kind((), ("until",), order=PUSH_FIRST),
    "subscription_resumed": Kind((), ("plan",), order=PUSH_FIRST),
    # A confirmation that was asked for a moment ago surprises nobody.
    "subscription_cancelled": Kind(("ends_on", "left"), ("plan",), urgent=True),
    "subscription_ending": Kind(("ends_on",), ("plan",)),
    "charged_after_cancel_refunded": Kind(_MONEY),
    # Not by push, which shows on a locked screen what is meant for one person.
    "ticket_message": Kind(("text",), order=("email", "sms")),
}
_UNKNOWN = Kind((), order=MAIL_ONLY)

# What every message may name besides the values of its kind.
ALWAYS = ("name", "shop", "shop_url")
OF_A_LINK = ("link", "link_until")


def kind_of(name: str) -> Kind:
    return KINDS.get(name, _UNKNOWN)


def variables_of(kind: str) -> tuple[str, ...]:
    """All that a template of the kind may name."""
    known = kind_of(kind)
    return (*ALWAYS, *known.variables, *known.optional, *(OF_A_LINK if kind in LINKED else ()))


def medium_of(channel: str) -> str:
    """Which of a kind's two texts goes out there."""
    return EMAIL if channel == "email" else SHORT


def find_place(kind: str, start: int, reachable: Collection[str]) -> int | None:
    """The first place in the kind's order, from `start` on, whose channel is reachable."""
    order = kind_of(kind).order
    return next((p for p in range(start, len(order)) if order[p] in reachable), None)


def quiet_until(kind: str, channel: str, now: datetime) -> datetime | None:
    """When it may go out, if not now."""
    if channel not in RINGING or kind_of(kind).urgent:
        return None
    local = now.astimezone(SEOUL)
    if QUIET_UNTIL <= local.time() < QUIET_FROM:
        return None
    day = local.date() + timedelta(days=local.time() >= QUIET_FROM)
    return datetime.combine(day, QUIET_UNTIL, SEOUL)


def wait_before(turns: int, *, has_another: bool = False) -> timedelta | None:
    """The pause after `turns` turns that led to nothing; None: give this channel up."""
    if turns >= (TURNS_BEFORE_FALLBACK if has_another else TURNS_MAX):
        return None
    return _WAITS[min(turns, len(_WAITS)) - 1]


# The customer can do something about these; a gateway's or our own trouble is not their news.
_FAILED = {"authentication_failure", "fraud_suspected"}
_UNUSABLE = "expired_or_suspended"


def failure_notice(failure_class: str | None) -> str | None:
    """The kind of notice about a renewal that failed, or None."""
    if failure_class == _UNUSABLE:
        return "payment_method_unusable"
    return "payment_failed" if failure_class in _FAILED else None


def check_reason(text: str) -> str:
    """Raises Invalid."""
    reason = " ".join(text.split())
    if len(reason) not in REASON_LENGTH:
        raise Invalid(field="because", reason="Give a reason of 5 to 300 characters.")
    return reason
