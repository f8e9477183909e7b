"""Orders in legs and sellers' shares, in words. Keys of the catalogue, no text."""

from opsapp.console import words
from opsapp.console.status_words import LEG, Word

ORDER_STATE = {
    "unpaid": Word("Not paid yet", "hourglass-split", "info"),
    "checking": Word("Being checked", "arrow-repeat", "info"),
    "partly_paid": Word("Paid in part", "exclamation-triangle", "warning"),
    "paid": Word("Paid", "check-circle", "success"),
    "partly_refunded": Word("Partly refunded", "arrow-counterclockwise", "warning"),
    "refunded": Word("Fully refunded", "arrow-counterclockwise", "secondary"),
    "released": Word("Given up", "slash-circle", "secondary"),
}
LEG_STATE = {
    "paid": Word("Paid", "check-circle", "success"),
    "free": Word("Nothing to pay", "gift", "success"),
    "unpaid": Word("Not paid yet", "hourglass-split", "info"),
    "checking": Word("Being checked", "arrow-repeat", "info"),
    "at_window": Word("At the payment window", "window", "info"),
    "awaiting_deposit": Word("Awaiting deposit", "bank", "info"),
    "failed": Word("Failed", "x-circle", "danger"),
    "contact": Word("A person must look", "person-exclamation", "danger"),
    "released": Word("Given up", "slash-circle", "secondary"),
    "partly_refunded": Word("Partly refunded", "arrow-counterclockwise", "warning"),
    "refunded": Word("Fully refunded", "arrow-counterclockwise", "secondary"),
}
NEXT_STEP = {
    "none": "Nothing is left to do.",
    "choose": "The customer may choose another way to pay.",
    "retry": "It is tried again by itself.",
    "wait": "The machine waits for a certain answer.",
    "window": "The customer is at the gateway's page.",
    "deposit": "The customer has to pay in.",
    "contact": "A person has to find out what happened.",
}
LEG_KIND = {"one_off": "One-off goods", "subscription": "Subscription"}
RESERVATION = {
    "reserved": Word("Points set aside", "hourglass-split", "info"),
    "posted": Word("Points spent", "check-circle", "success"),
    "voided": Word("Points given back", "arrow-counterclockwise", "secondary"),
}
SUBJECT = {"order_leg": "Part of the order", "point_reservation": "Points"}
ACTION = {"order.placed": "Ordered"}
SHARE = {"sale": "Sold", "reversal": "Taken back"}
SHARE_CAUSE = {
    "leg": "paid",
    "payment": "paid",
    "refund": "money given back",
    "order_refund": "points given back",
    "share": "the payment was taken back, or came again",
}
ON_FAILURE = {
    "hold": "It is held, and the customer may choose another way to pay.",
    "retry": "It is tried again by itself three times, then held.",
    "release": "The failed part is given up at once; the others stand.",
}
PAGE_DONE = {
    "refunded": "The refund was requested. How far it is stands among the refunds.",
    "given_up": "This part was given up. Its points are back, and nothing is charged for it.",
}
SELLER_DONE = {
    "added": "The seller was added.",
    "changed": "The fee was changed. It holds for what is paid from now on.",
}
# What rooms fill into their refusals and reasons.
FILLED_IN = (
    "order",
    "leg",
    "order line",
    "seller",
    "it is open",
    "it is released",
    "it is being paid in another way",
    "Enter a fee from 0 to 90 percent.",
    "Say why; it stands in the log.",
)


def state_of(subject_type: str, status: str) -> Word:
    """Of a log entry about an order or what hangs on it."""
    own = {"order_leg": LEG, "point_reservation": RESERVATION}.get(subject_type)
    table = own or words.TABLES.get(subject_type, {})
    return table.get(status, words.UNKNOWN)
