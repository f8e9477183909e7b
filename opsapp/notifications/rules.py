"""Who is told what, and when a message that did not go out is tried again."""

from dataclasses import dataclass
from datetime import timedelta

TURNS_MAX = 12
_WAITS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
)

# The customer can do something about these; a gateway's or our own trouble is not their news.
_FAILED = {"authentication_failure", "fraud_suspected"}
_UNUSABLE = "expired_or_suspended"


@dataclass(frozen=True, slots=True)
class Opening:
    """A page that a message lets its reader into: the address without the token, and how long."""

    purpose: str
    path: str
    life: timedelta


# The link is made when the message is sent: its token stands in no row.
LINKED = {
    # Longer than any payment link lives: the page itself says when it is over.
    "payment_link": Opening("checkout", "/pay/", timedelta(days=33)),
    "refund_account_asked": Opening("refund_account", "/my/refund-account/", timedelta(days=7)),
}


def wait_before(turns: int) -> timedelta | None:
    """The pause after `turns` turns that led to nothing; None: give up."""
    if turns >= TURNS_MAX:
        return None
    return _WAITS[min(turns, len(_WAITS)) - 1]


def failure_notice(failure_class: str | None) -> str | None:
    """The kind of notice about a renewal that failed, or None."""
    if failure_class == _UNUSABLE:
        return "payment_method_unusable"
    return "payment_failed" if failure_class in _FAILED else None
