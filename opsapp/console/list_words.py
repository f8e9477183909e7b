"""What stands around every list. Keys of the catalogue, no text."""

SHARED_WITH = {
    "": "Only me",
    "everyone": "Everybody",
    "cs": "Customer service",
    "finance": "Finance",
    "admin": "Administration",
    "auditor": "Auditors",
}
DENSITY = {"normal": "Normal", "compact": "Compact"}
PAID_FOR = {"recurring": "Recurring", "one_off": "One-off"}
BASIS = {
    "payments.requested": "Requested at",
    "payments.paid": "Approved at",
    "refunds": "Ended",
    "orders": "Ordered",
    "links": "Made",
    "subscriptions": "Next charge",
    "deposits": "Issued",
    "cases": "Opened",
    "cash_receipts": "Asked for",
    "notifications": "Ordered",
    "webhooks": "Received at",
    "audit": "Time",
}
DONE = {
    "saved": "The view is saved.",
    "changed": "The view is changed.",
    "deleted": "The view is deleted.",
    "arranged": "The columns are kept for you.",
}
# What rooms fill into their refusals.
FILLED_IN = (
    "Choose how close the rows stand.",
    "Choose what shall not be shown any more.",
    "Choose with whom it is shared.",
    "Give it a name of 1 to 60 characters.",
    "The name holds characters that cannot be printed.",
    "These are too many filters for one view.",
    "list",
    "saved view",
)
