"""Who is told what, and when a message that did not go out is tried again."""

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
