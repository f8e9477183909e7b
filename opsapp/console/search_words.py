"""Words of the search: what it finds, and what one may do from it. Keys of the catalogue."""

GROUP = {
    "customer": "Customers",
    "payment": "Payments",
    "order": "Orders",
    "subscription": "Subscriptions",
    "ticket": "Tickets",
    "refund": "Refunds",
    "deposit": "Deposits",
    "link": "Payment links",
    "cash_receipt": "Cash receipts",
    "unmatched_money": "Unmatched money",
}
ACT = {
    "refund": "Refund a payment",
    "retry": "Try failed renewals again",
    "pause": "Pause or cancel a subscription",
    "decide": "Decide on an uncertain outcome",
    "answer": "Answer a ticket",
    "ask": "Ask a customer for a payment",
    "points": "Correct somebody's points",
    "run": "Look at a billing run",
    "invite": "Invite a colleague",
}
