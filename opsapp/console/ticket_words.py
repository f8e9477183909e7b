"""Why a person is needed, and what that person does. Keys of the catalogue, no text."""

REASON = {
    "unmatched_money": "Money that no payment has taken",
    "deposit_reversed": "The bank took a deposit back",
    "refund_account_asked": "Refund waits for a bank account",
    "refund_holder_differs": "Refund account in another name",
    "repeated_failure": "Payment failed repeatedly",
    "method_unusable": "Payment method cannot be used",
    "gateway_keeps_failing": "Gateway keeps failing",
    "card_budget_used": "Card was declined too often",
    "recovery_handed_over": "Handed over by the recovery board",
    "consent_missing": "Consent is missing",
    "change_unpaid": "Difference for a change not paid",
    "registration_stuck": "Card registration is stuck",
    "deletion_stuck": "Deletion of a payment method is stuck",
    "unmapped_code": "Unknown failure code",
    "uncertain_attempt": "Payment result uncertain",
    "refund_stuck": "Refund is stuck",
    "refund_refused": "Refund refused by the gateway",
    "gateway_disagrees": "The gateway says otherwise",
    "gateway_paused": "Gateway stopped by itself",
    "approval_bypassed": "Decided alone in an emergency",
    "webhook_disabled": "Webhooks to the shop stopped",
    "cash_receipt_failed": "Cash receipt refused or stuck",
}
STEP = {
    "approval_bypassed": (
        "Look at the request and its reason, and talk to whoever decided alone: was there no time "
        "for a second person?"
    ),
    "unmatched_money": "Open the case: accept the money for its payment, or give it back.",
    "deposit_reversed": (
        "Ask the customer to pay again; stop what has not been delivered yet. If part was refunded "
        "already, claim it back."
    ),
    "refund_account_asked": (
        "The customer has not named a bank account yet. Call, then type it in or send the link "
        "again on the payment's page."
    ),
    "refund_holder_differs": (
        "Call the customer. Confirm the holder on the payment's page, or ask for another account."
    ),
    "repeated_failure": (
        "Call the customer: another card, or the limit raised. Then charge the subscription again."
    ),
    "method_unusable": "Ask the customer to register another payment method.",
    "card_budget_used": (
        "It is not tried again by itself for now. Ask the customer for another payment method."
    ),
    "recovery_handed_over": "Read why it was handed over, then talk to the customer.",
    "gateway_keeps_failing": "Ask the gateway what is wrong; the customer can do nothing here.",
    "consent_missing": (
        "Call the customer and send the link to agree again. Without a consent of the last 30 days "
        "nothing is charged; it is looked at again each day."
    ),
    "change_unpaid": (
        "Everything stays as it was. Tell the customer, and change it again once the card works."
    ),
    "registration_stuck": "Ask the customer to register the card again.",
    "deletion_stuck": "Delete the billing key in the gateway's own console; nothing is charged.",
    "unmapped_code": "Find out what it means in the gateway's documents, then add it.",
    "uncertain_attempt": (
        "Look the order number up in the gateway's own console before doing anything else."
    ),
    "refund_stuck": "Look the cancellation up in the gateway's own console; then settle it here.",
    "cash_receipt_failed": (
        "Check the number with the customer and ask again on the payment's page, or settle it in "
        "the gateway's own console."
    ),
    "refund_refused": "Read the gateway's reason in the timeline; nothing was given back.",
    "gateway_paused": (
        "Put the key, the contract or the request at the gateway right, then let it go on under "
        "Gateways. Until then nothing is charged or refunded there."
    ),
    "webhook_disabled": (
        "Ask who keeps the shop's program, then enable the address and send again what it missed."
    ),
    "gateway_disagrees": (
        "Compare the payment in the gateway's own console: money may have been taken back."
    ),
}
RESOLUTION = {
    "settled": "Settled",
    "told": "The customer was told",
    "no_answer": "The customer does not answer",
    "nothing_to_do": "Nothing had to be done",
    "cause_gone": "Its cause is gone",
    "merged": "Merged into another ticket",
}
# The one button of a case: what a colleague would do next.
NEXT_ACT = {
    "decide": "Compare and decide the outcome",
    "money": "Open the unmatched money",
    "link": "Send a link for another payment method",
    "retry": "Try the charge again",
    "payment": "Open the payment",
    "subscription": "Open the subscription",
    "customer": "Open the customer",
    "code": "Say what the code means",
    "gateways": "Open the gateways",
    "webhooks": "Open the webhooks",
}
TAB = {
    "todo": "To do",
    "unassigned": "Unassigned",
    "open": "New",
    "in_progress": "In work",
    "waiting_customer": "Waiting for the customer",
    "snoozed": "Put off for later",
    "resolved": "Done",
    "all": "All",
}
DONE = {
    "take": "It is yours now.",
    "put_back": "Put back: anybody may take it.",
    "go_on": "Back in work; the clock goes on.",
    "wait": "Waiting for the customer; the clock stands still.",
    "resolve": "Marked as done.",
    "reopen": "Open again.",
    "snooze": "Put off until that day.",
    "priority": "The priority was changed.",
    "hand_over": "Handed over.",
    "merge": "Merged: go on here.",
    "note": "The note was saved.",
    "message": "The message goes to the customer.",
}
PLACE = {
    "shop": "The shop's name",
    "amount": "Amount of the payment",
    "title": "What is paid for",
    "paid_on": "Day of the payment",
    "next_on": "Day of the next charge",
}
BECAUSE = (
    "put back",
    "the customer answered",
    "the customer was asked",
    "merged into another ticket",
    "the registration came through",
    "another payment method took its place",
)
FILLED_IN = (
    "Choose a day within the next 31 days.",
    "Choose a priority.",
    "Choose how it ended.",
    "Give it a name of at most 60 characters.",
    "Say why: 5 to 300 characters.",
    "The form is damaged. Open it again.",
    "Write something.",
    "macro",
)
