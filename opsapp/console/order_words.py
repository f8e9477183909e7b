"""Words about orders, payment links and cash receipts. Keys of the catalogue, no text."""

TABS = {"orders": "Orders", "links": "Payment links"}
LIFE = {"1": "1 day", "3": "3 days", "7": "7 days", "30": "30 days"}
DONE = {
    "sent": "The mail with the link is on its way.",
    "cancelled": "The link was withdrawn. Its address works no more.",
    "again": "It was made already: the form was sent twice.",
}
RECEIPT_KIND = {
    "income_deduction": "Tax deduction",
    "expense_proof": "Business expenses",
}
RECEIPT_STEP = {
    "wanted": "It is asked for as soon as the payment is collected.",
    "requested": "Saved. It goes to the gateway in its turn.",
    "in_progress": "The tax office answers in one or two days. We look by ourselves.",
    "issued": "Issued. A refund cancels it by as much by itself.",
    "cancelling": "The cancel is on its way; we look by ourselves.",
    "cancelled": "All of it was cancelled.",
    "failed": "Refused. Check the number and ask again.",
    "withdrawn": "It was never sent.",
    "needs_human": "The machine cannot settle it. Look at the gateway's own books, then ask again.",
}
# What rooms fill into their refusals and reasons.
FILLED_IN = (
    "cash receipt",
    "payment link",
    "all of it was given back",
    "it was not paid by bank transfer or virtual account",
    "the gateway issues none for this way of paying",
)
