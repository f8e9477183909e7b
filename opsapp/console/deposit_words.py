"""What the desk of virtual accounts says. Keys of the catalogue, no text."""

REASON = {
    "short": "Less than the amount",
    "over": "More than the amount",
    "late": "After the deadline",
    "after_cancel": "After it was given up",
    "late_approval": "Approved after it had ended",
}
# What has happened, and what staff do about it.
MEANING = {
    "short": "The deadline passed with only part of the amount paid in. The payment has failed.",
    "over": "The payment is paid. This is what was paid in beyond its amount.",
    "late": "The deposit came when the payment had failed already.",
    "after_cancel": "The deposit came when the account had been given up, before it was closed.",
    "late_approval": "The gateway approved the payment after it had ended here without money.",
}
STEP = {
    "short": "Give it back. If the customer still wants to pay, it is the whole amount anew.",
    "over": "Give it back to the customer's bank account.",
    "late": "Ask the customer: accept it for the payment, or give it back.",
    "after_cancel": "Give it back: nobody wants the payment any more.",
    "late_approval": "Ask the customer: accept it for the payment, or give it back.",
}
TABS = {
    "awaiting": "Awaiting deposit",
    "unmatched": "Unmatched",
    "returning": "Going back",
    "done": "Done",
}
# Reasons that machines write into the log, and that a refusal names.
BECAUSE = (
    "another attempt has paid it or may still pay it",
    "approved after it had ended",
    "less than the amount was paid in",
    "money that arrived late was accepted",
    "more than the amount was paid in",
    "no deposit before the deadline",
    "nobody wants the payment any more",
    "only part of the amount was paid in",
    "paid in after it was given up",
    "paid in after the deadline",
    "part of the amount was paid in",
    "the account was closed",
    "the amount is not that of the payment",
    "the bank took the deposit back",
    "the case is settled or on its way back",
)
