"""How soon a ticket must be answered."""

from datetime import timedelta

ANSWER_WITHIN = timedelta(hours=24)

# Money whose whereabouts nobody knows does not wait a day.
_SOONER = {
    "uncertain_attempt": timedelta(hours=4),
    "refund_stuck": timedelta(hours=4),
    "gateway_disagrees": timedelta(hours=4),
}


def answer_within(reason: str) -> timedelta:
    return _SOONER.get(reason, ANSWER_WITHIN)
