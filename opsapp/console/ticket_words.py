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
    "webhook_disabled": "Webhooks to the shop stopped",
    "cash_receipt_failed": "Cash receipt refused or stuck",
}
STEP = {
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
