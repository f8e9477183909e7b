"""What staff read about terms and consents. Keys of the catalogue, no text."""

KIND = {
    "recurring_payment": "Agreement to recurring payment",
    "price_change": "Agreement to a higher price",
    "trial_to_paid": "Agreement to paid use after the free trial",
    "privacy": "Agreement to the use of personal data",
}
CHANNEL = {
    "checkout": "When subscribing",
    "link": "By the link of a message",
    "staff": "By staff",
    "import": "Before the import",
}
DONE = {
    "withdrawn": "The agreement was taken back.",
    "published": "The new version is published.",
}
VARIABLE = {
    "shop": "Name of the shop",
    "plan": "Plan",
    "amount": "Amount",
    "cycle": "Cycle",
    "first_on": "Day of the first payment",
    "method": "Payment method",
    "old_amount": "Price now",
    "new_amount": "New price",
    "from_on": "Day from which it counts",
}
FILLED_IN = (
    "Choose today or a later day.",
    "Enter a day, for example 2026-12-01.",
    "Fill this in.",
    "Nothing was changed.",
    "Say why, in 3 to 200 characters.",
    "This is too long.",
    "consent",
    "terms",
)
