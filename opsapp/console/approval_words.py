"""Words of requests that a second person decides. Keys of the catalogue, no text."""

from opsapp.console.status_words import Word

STATUS = {
    "requested": Word("Waits for a second person", "people", "warning"),
    "approved": Word("Approved by a second person", "check-circle", "success"),
    "returned": Word("Sent back", "reply", "secondary"),
    "withdrawn": Word("Withdrawn", "slash-circle", "secondary"),
    "expired": Word("Nobody decided in time", "hourglass-bottom", "secondary"),
}
VIEWS = {
    "waiting": "Waiting",
    "mine": "Asked by me",
    "decided": "Decided",
}
WHY = {
    "over_limit": "More than you may refund alone",
    "other_currency": "Another currency than won",
    "many_rows": "More rows than one person may order alone",
    "large_sum": "A larger sum than one person may order alone",
}
DONE = {
    "approve": "Agreed. It goes on.",
    "return": "Sent back with your comment. Nothing is done.",
    "withdraw": "Withdrawn. Nothing is done.",
    "bypass": "Decided alone. A ticket was opened, and the log says so.",
}
POLICY = {
    "refund_undo_minutes": "Minutes in which a refund can be undone",
    "bulk_undo_minutes": "Minutes in which a bulk job can be undone",
    "limit_cs": "Customer service refunds alone up to",
    "limit_finance": "Finance refunds alone up to",
    "limit_admin": "Administrators refund alone up to",
    "bulk_sum": "A bulk job gives back without a second person up to",
    "bulk_rows": "A bulk job takes without a second person, rows up to",
    "answer_hours": "Hours until a request should be decided",
    "expire_hours": "Hours until a request is too old",
}
UNIT = {
    "refund_undo_minutes": "minutes",
    "bulk_undo_minutes": "minutes",
    "bulk_rows": "rows",
    "answer_hours": "hours",
    "expire_hours": "hours",
}
IN_WON = ("limit_cs", "limit_finance", "limit_admin", "bulk_sum")
# Texts of rules and errors that reach the screen through a placeholder.
FILLED_IN = (
    "0 to 60 minutes.",
    "0 to 10,000 rows.",
    "1 to 72 hours.",
    "1 to 336 hours.",
    "Not sooner than the answer is due.",
    "Enter the amount in won.",
    "Nothing was changed.",
    "Write 2 to 300 characters.",
    "Give a reason of 5 to 300 characters.",
    "Describe the emergency in 20 to 300 characters.",
)
