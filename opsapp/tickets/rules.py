"""How soon a ticket must be answered."""

from datetime import timedelta

ANSWER_WITHIN = timedelta(hours=24)

# Money whose whereabouts nobody knows does not wait a day.
_WITHIN = {
    "gateway_paused": timedelta(hours=1),  # nothing is charged there until somebody has looked
    "uncertain_attempt": timedelta(hours=4),
    "webhook_disabled": timedelta(hours=4),  # the shop hears of nothing
    "refund_stuck": timedelta(hours=4),
    "gateway_disagrees": timedelta(hours=4),
    "refund_account_asked": timedelta(days=7),  # as long as the customer's link works
    "unmapped_code": timedelta(hours=4),  # until then what fails with it stays uncertain
}


def answer_within(reason: str) -> timedelta:
    return _WITHIN.get(reason, ANSWER_WITHIN)
