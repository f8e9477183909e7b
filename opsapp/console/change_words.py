"""Changes of subscriptions and versions of plans, in words. Keys of the catalogue, no text."""

from opsapp.console.status_words import Word

STATUS = {
    "planned": Word("Change planned", "calendar-event", "info"),
    "awaiting_payment": Word("Difference being paid", "hourglass-split", "warning"),
    "applied": Word("Change in force", "check-circle", "success"),
    "withdrawn": Word("Change withdrawn", "slash-circle", "secondary"),
}
KIND = {
    "plan": "Other plan",
    "quantity": "Other quantity",
    "billing_day": "Other billing day",
    "price": "Other price of the plan",
}
WHEN = {"now": "Now", "period_end": "With the next period"}
# Why a change that was wanted now waits for the next period.
WAITS = {
    "not_paid_here": (
        "The running period is not paid, or was paid elsewhere: there is nothing to divide."
    ),
    "charged_ahead": "The next period has been charged already.",
    "standing_still": "Nothing is charged while the subscription stands still.",
    "period_is_over": "The running period is over.",
    "not_refundable": "The running period's payment does not take this refund.",
}
DONE = {
    "changed": "The change is recorded.",
    "paying": "The difference is being charged. The change applies once it is paid.",
    "withdrawn": "The change was withdrawn. Everything stays as it is.",
}
