"""What the pages of failure codes say. Keys of the catalogue, no text."""

RETRY_MODE = {
    "later": "Tried again by plan",
    "after_fix": "Only after the customer changes something",
    "none": "Never with this method",
    "query_then_retry": "Inquire first, then decide",
    "same_request": "Inquire, then send the same again",
    "operator": "Staff must mend our settings",
}
# Where a code comes from: one gateway has several lists.
SOURCE = {
    "toss_api": "Toss Payments: API",
    "toss_sdk": "Toss Payments: payment window",
    "portone": "PortOne",
    "portone_pg_kcp": "PortOne: NHN KCP",
    "stripe_error": "Stripe: errors",
    "stripe_decline": "Stripe: declines",
    "stripe_exception": "Stripe: exceptions",
    "transport": "Connection",
}
OUTCOME = {
    "not_charged": "Certainly not charged",
    "unknown": "Uncertain until inquired",
    "query": "The state at the gateway decides",
}
# What the room fills into its refusals.
FILLED_IN = (
    "Choose one of the kinds of failure.",
    "Give a reason of 5 to 300 characters.",
    "Nothing was changed.",
    "The text holds characters that cannot be printed.",
    "The text is too long.",
    (
        "Type the code exactly: from now on it counts as certainly not charged, and payments that "
        "fail with it may be charged again."
    ),
    "Write something: people read it.",
    "failure code",
    "unmapped code",
)
# Reasons that machines write into the log.
BECAUSE = ("the dictionary knows the code now",)
