"""What the page behind a payment link says. Keys of the catalogue, no text."""

METHOD = {
    "card": "Card",
    "transfer": "Bank transfer",
    "easy_pay": "Easy pay",
    "mobile": "Mobile phone billing",
    "virtual_account": "Virtual account",
}
# Ways that are registered on the way to paying, by kind.
REGISTER = {
    "card": "Register a card",
    "transfer": "Register a bank account",
}
CYCLE = {
    "day": ("every day", "every {count} days"),
    "week": ("every week", "every {count} weeks"),
    "month": ("every month", "every {count} months"),
}
# What became of what is charged together, and what happens next.
LEG = {
    "paid": "Paid",
    "free": "Nothing to pay yet",
    "unpaid": "Not paid",
    "checking": "Being checked",
    "at_window": "Waiting for the payment window",
    "awaiting_deposit": "Waiting for the deposit",
    "failed": "Not paid",
    "contact": "Being checked by a person",
    "released": "Given up, not charged",
    "partly_refunded": "Partly refunded",
    "refunded": "Refunded",
}
NEXT_STEP = {
    "choose": "No money was taken. Choose another way above.",
    "retry": "No money was taken. We try again by ourselves; you may also choose another way.",
    "wait": "We are asking the payment company. Do not pay again.",
    "window": "Finish it in the payment window, or choose again.",
    "contact": "Somebody of ours is looking into it and will call you.",
}
# What becomes of a registration, by the state of the method.
REGISTRATION = {
    "requested": "We are registering your payment method",
    "active": "Your payment method is registered",
    "refused": "The payment method was not accepted",
    "needs_human": "We are still checking your payment method",
}
METHOD_HINT = {
    "card": "Instalments are chosen in the next step.",
    "transfer": "Straight from your bank account.",
    "easy_pay": "With the wallet on your phone.",
    "mobile": "It comes on your telephone bill.",
    "virtual_account": "We give you an account number to pay into.",
}
# Banks that an account may be issued at; the contracts of a shop may name fewer.
ACCOUNT_BANKS = ("88", "20", "04", "81", "11", "03", "71")
BANK = {
    "02": "Korea Development Bank",
    "03": "Industrial Bank of Korea",
    "04": "KB Kookmin Bank",
    "06": "KB Kookmin Bank",
    "07": "Suhyup Bank",
    "11": "NH Nonghyup Bank",
    "20": "Woori Bank",
    "23": "SC First Bank",
    "27": "Citibank Korea",
    "31": "iM Bank",
    "32": "Busan Bank",
    "34": "Gwangju Bank",
    "35": "Jeju Bank",
    "37": "Jeonbuk Bank",
    "39": "Kyongnam Bank",
    "45": "Saemaul Geumgo",
    "48": "Shinhyup",
    "64": "National Forestry Cooperative",
    "71": "Korea Post",
    "81": "Hana Bank",
    "88": "Shinhan Bank",
    "89": "K Bank",
    "90": "Kakao Bank",
    "92": "Toss Bank",
}
RECEIPT = {
    "none": "No cash receipt",
    "income_deduction": "For my tax deduction (mobile phone number)",
    "expense_proof": "For business expenses (business registration number)",
}
# What a refusal means to a shopper, by its code.
REFUSED = {
    "left": "The payment was not finished. You can choose again how to pay.",
    "amount_differs": (
        "The amount that came back is not the amount of this order, so nothing was charged. "
        "Please choose again how to pay."
    ),
    "no_window": "That payment window is over. Please choose again how to pay.",
    "window_away": "The payment window cannot be opened just now. Please choose another way, or "
    "try again in a moment.",
    "window_open": "A payment window is still open. Finish it or close it; after 45 minutes "
    "another way can be chosen.",
    "too_many_choices": "This link was used too often. Please ask the shop for a new one.",
    "receipt_not_offered": "There is no cash receipt for this way to pay just now. Please choose "
    "without one, or another way.",
    "price_changed": "The price has changed since you opened the page: it was {seen} and is {now} "
    "now. Nothing was charged. Please look at it once more.",
    "consents_missing": "An agreement that this order needs was not given.",
    "not_enough_points": "You have only {available} points now. Nothing was charged.",
    "points_settled": "{points} points are set aside for this order already; that stays as it is.",
    "points_need_won": "Points pay for orders in won only.",
    "below_minimum": "{left} would be left to pay, and this way of paying takes no less than "
    "{minimum}. Use at most {most_points} points, or pay all of it with points.",
    "needs_registered_method": "What is paid again and again needs a registered payment method.",
    "method_not_usable": "This payment method cannot be used any more. Please choose another one.",
    "no_route": "This way to pay is not available just now. Please choose another one.",
}
LEFT = REFUSED["left"]
UNREGISTERED = "Nothing was registered. You can choose again."
STALE = (
    "The page was open for too long, so it was loaded again. Nothing was charged. Please check it "
    "and press the button once more."
)
NO_POINTS = "Enter the points in digits."
NO_WAY = "Choose how to pay."
NO_NUMBER = "Enter the number in digits."
FILLED_IN = (
    (
        "The page was open for too long, so it was loaded again. Nothing was charged. Please check "
        "it and press the button once more."
    ),
    "Enter the points in digits.",
    "Enter the number in digits.",
    "Do not enter a card number. Enter a phone number.",
    "Enter a mobile phone number, for example 010-1234-5678.",
    "Enter a business registration number of 10 digits.",
    "Choose how to pay.",
    "Choose a bank.",
)
