"""What the page behind a payment link says. Keys of the catalogue, no text."""

METHOD = {
    "card": "Card",
    "transfer": "Bank transfer",
    "easy_pay": "Easy pay",
    "mobile": "Mobile phone billing",
    "virtual_account": "Virtual account",
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
    "no_route": "This way to pay is not available just now. Please choose another one.",
}
LEFT = REFUSED["left"]
NO_NUMBER = "Enter the number in digits."
FILLED_IN = (
    "Enter the number in digits.",
    "Do not enter a card number. Enter a phone number.",
    "Enter a mobile phone number, for example 010-1234-5678.",
    "Enter a business registration number of 10 digits.",
    "Choose how to pay.",
    "Choose a bank.",
)
