"""What the desks for refunds and uncertain outcomes say. Keys of the catalogue, no text."""

# The banks that money can be given back to: the room keeps the same list.
REFUND_BANKS = (
    "04", "88", "20", "81", "11", "03", "90", "92", "89", "23", "27", "45", "48", "71", "07",
    "31", "32", "34", "35", "37", "39", "02", "64",
)  # fmt: skip
DECISION = {
    "approved": "Approved: the money has moved",
    "not_charged": "No money has moved",
    "ask_again": "Ask the gateway once more",
}
DECISION_EFFECT = {
    "attempt": {
        "approved": "The payment is booked as approved, {amount} as sales.",
        "not_charged": (
            "The payment is booked as failed through no fault of the customer; it may be tried "
            "again."
        ),
        "ask_again": "Nothing is booked. The gateway is asked again from the first look on.",
    },
    "refund": {
        "approved": "{amount} is booked as given back, and the customer is told.",
        "not_charged": "The refund is booked as refused; {amount} can be refunded again.",
        "ask_again": "Nothing is booked. The gateway is asked again from the first look on.",
    },
}
GATEWAY_SAYS = {
    "approved": "The gateway knows it as approved.",
    "pending": "The gateway waits for the customer.",
    "prepared": "The gateway has named it; no money can have moved.",
    "in_progress": "The customer has not finished at the gateway.",
    "declined": "The gateway knows it as declined: no money moved.",
    "conflict": "The gateway reports another state.",
    "misconfigured": "The gateway did not take our question: our settings are wrong.",
    "not_found": "The gateway does not know this order. That alone proves nothing.",
    "not_sent": "The gateway could not be reached.",
    "unknown": "The gateway gave no certain answer.",
}
DESK_TAB = {
    "all": "All",
    "person": "A person must look",
    "machine": "Still being asked",
}
# What rooms fill into their refusals.
FILLED_IN = (
    "At most 500 characters.",
    "Choose a bank.",
    "Choose what was found.",
    "Enter the account holder, at most 60 characters.",
    "Enter the account number, 1 to 20 digits.",
    "Enter the gateway's own key of the payment.",
    "Name at least one reference: a receipt, a mail, a call.",
    "Open the form again.",
    "Say how the holder was confirmed.",
    "Say why.",
    "This form was used; open it again.",
    "This way of paying needs no bank account.",
    "attempt",
    "case",
    "its gateway is not connected any more",
)
