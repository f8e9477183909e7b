"""What a customer's own pages for a subscription say. Keys of the catalogue, no text."""

STATUS = {
    "trialing": "Free trial",
    "active": "In use",
    "past_due": "Payment missing",
    "paused": "Paused",
    "suspended": "Suspended: a payment is missing",
    "cancelling": "Ends soon",
    "cancelled": "Cancelled",
    "expired": "Its term is over",
}
PAYMENT = {
    "pending": "Being paid",
    "awaiting_deposit": "Waiting for the deposit",
    "paid": "Paid",
    "partly_refunded": "Partly refunded",
    "refunded": "Refunded",
    "failed": "Not paid",
    "cancelled": "Not charged",
}
METHOD = {
    "card": "Card",
    "transfer": "Bank account",
    "easy_pay": "Easy pay",
    "mobile": "Mobile phone billing",
    "virtual_account": "Virtual account",
}
METHOD_HINT = {
    "card": "A credit or debit card.",
    "transfer": "Money is taken straight from your bank account.",
}
INTERVAL = {
    "day": ("a day", "every {count} days"),
    "week": ("a week", "every {count} weeks"),
    "month": ("a month", "every {count} months"),
}
CONSENT = {
    "recurring_payment": "Agreement to recurring payment",
    "price_change": "Agreement to a higher price",
    "trial_to_paid": "Agreement to paid use after the free trial",
    "privacy": "Agreement to the use of personal data",
}
# What the page says after an act.
DONE = {
    "paused": "It is paused. Nothing is charged until it goes on.",
    "resumed": "It goes on. What passed meanwhile is not charged.",
    "ending": "It ends with the current period. Nothing is charged after that.",
    "cancelled": "It is cancelled. Nothing is left to be charged.",
    "cancelled_in_flight": "It is cancelled. One payment was on its way to the card company "
    "already: if it goes through, it is refunded by itself and we tell you.",
    "kept": "The cancellation was taken back. It goes on as before.",
    "withdrawn": "Your agreement was taken back.",
    "agreed": "Thank you. Your agreement was recorded.",
}
# What becomes of a registration, by the state of the method.
REGISTRATION = {
    "requested": "We are registering your payment method",
    "issuing": "We are registering your payment method",
    "active": "Your payment method is registered",
    "refused": "The payment method was not accepted",
    "needs_human": "We are still checking your payment method",
}
LEFT = "Nothing was registered. You can choose again."
NO_DAY = "Choose a day from tomorrow on, at most 180 days ahead."
FILLED_IN = (
    "Nothing was registered. You can choose again.",
    "Choose a day from tomorrow on, at most 180 days ahead.",
    "Choose when it ends.",
    "Choose what to register.",
    "Tick the box if you agree.",
)
# The reason in the log for what a customer does here.
ASKED = "asked for by the customer"
DECLINED = "the customer did not agree"
