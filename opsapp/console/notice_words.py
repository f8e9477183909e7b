"""What the pages of notices and their texts say. Keys of the catalogue, no text."""

DELIVERY = {
    "accepted": "The channel took it; whether it arrived is not reported yet or never.",
    "refused": "The channel refused it for good.",
    "away": "The channel gave no answer.",
    "delivered": "The provider reports that it arrived.",
    "failed": "The provider reports that it did not arrive.",
}
MEDIUM = {"email": "E-mail", "short": "Text message and push"}
# What a text may name, with what stands there.
VARIABLE = {
    "name": "The customer's name",
    "shop": "The shop's name",
    "shop_url": "The shop's address",
    "amount_minor": "Amount: write it with money(currency)",
    "old_minor": "Price until now: write it with money(currency)",
    "new_minor": "New price: write it with money(currency)",
    "currency": "Currency, for money",
    "at": "When it happened: day, minute or moment",
    "plan": "The plan's name",
    "title": "What is paid for",
    "method_label": "The payment method, masked",
    "bank": "Bank of the virtual account",
    "account": "Number of the virtual account",
    "pay_by": "Until when the link can be used: day, minute or moment",
    "due_at": "Until when to pay in: day, minute or moment",
    "next_try_at": "When it is tried again: day, minute or moment",
    "link": "A link made for this customer alone",
    "link_until": "Until when the link can be used: day, minute or moment",
    "charge_on": "Day of the charge: day",
    "from_on": "From which day it holds: day",
    "expires_on": "Last day of the method: day",
    "ends_on": "First day without service: day",
    "until": "Day on which it goes on: day",
    "attempt": "How many tries there were",
    "attempts_max": "How many tries there are",
    "left": "How many payments are left",
    "points": "How many points",
    "last_on": "Last day of the points: day",
    "text": "What staff wrote",
}
FILLED_IN = ("notice text", "notice", "Nothing was changed.")
# Reasons that machines write into the log.
BECAUSE = (
    "its reason went while it was under way",
    "the push service knows it no more",
    "newer ones took its place",
    "not delivered",
    "delivered after all",
)
