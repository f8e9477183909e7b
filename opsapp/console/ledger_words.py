"""What the books say. Keys of the catalogue, no text."""

TRANSFER = {
    "matched": "Deposit matched",
    "unmatched": "Unmatched deposit",
    "unmatched_reversed": "Unmatched deposit taken back",
    "deposit_reversed": "Deposit taken back",
    "deposit_missing": "Deposit missing after a refund",
    "accepted": "Late money accepted",
    "approval_reversed": "Approval taken back",
    "charge": "Charge",
    "refund_requested": "Refund requested",
    "refund": "Refund",
    "refund_refused": "Refund refused",
}
TRANSFER_MEANING = {
    "charge": "The gateway took the customer's money and owes it to us.",
    "refund_requested": "Set aside for the refund until the gateway has answered.",
    "refund": "Given back; the gateway owes us that much less.",
    "refund_refused": "The refund did not happen; what was set aside is ours again.",
}
LEDGER = {
    "unmatched_money": "Unmatched money",
    "gateway_clearing": "Owed by the gateway",
    "sales": "Sales",
    "refunds": "Refunds",
    "refunds_in_transit": "Refunds in transit",
}
