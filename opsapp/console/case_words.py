"""What the page of a customer's case says. Keys of the catalogue, no text."""

FAULT = {
    "customer": "On the customer's side",
    "issuer": "On the card company's side",
    "gateway": "On the gateway's side",
    "ours": "On our side",
    "nobody": "Nobody's fault: the records differ",
}
KIND = {
    "": "All",
    "payments": "Payments and refunds",
    "subscriptions": "Subscriptions and agreements",
    "notices": "Notices",
    "tickets": "Tickets",
    "notes": "Notes",
    "methods": "Payment methods",
    "points": "Points",
    "customer": "Looks at personal data and sign-ins",
}
# Kinds of a payment's own line.
LINE = {
    "": "All",
    "attempts": "Charges",
    "refunds": "Refunds",
    "gateway": "Gateways' notices",
    "notices": "Notices",
    "notes": "Notes",
}
NO_PAUSE = {
    "paused": "It is paused already.",
    "cancelling": "The subscription ends anyway.",
    "cancelled": "The subscription has ended.",
    "expired": "The subscription has ended.",
}
FILLED_IN = (
    "Give a reason of 5 to 200 characters.",
    "Load the page again.",
    "Write a note of 1 to 1,000 characters.",
)
