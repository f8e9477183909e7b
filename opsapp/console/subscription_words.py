"""Words of one subscription's page. Keys of the catalogue, no text."""

STEP = {
    "trialing": "Free until the trial ends; then its first period is charged.",
    "active": "It is charged by itself when the next period falls due.",
    "past_due": "A charge failed. It is tried again by plan; another failure opens a ticket.",
    "paused": "Nothing is charged until it is resumed.",
    "suspended": "Stopped after repeated failures. The customer needs another payment method.",
    "cancelling": "It ends with the running period. Until then the cancellation can be taken back.",
    "cancelled": "It has ended. Nothing will be charged any more.",
    "expired": "Its fixed term is over. Nothing will be charged any more.",
}
ACTION = {
    "pause": "Pause",
    "resume": "Resume",
    "charge_now": "Charge now",
    "keep": "Take the cancellation back",
    "hold": "Hold charges",
    "release": "Release the hold",
    "cancel_at_period_end": "Cancel at the end of the period",
    "cancel": "Cancel now",
}
EFFECT = {
    "pause": (
        "No new period is charged, and those that pass meanwhile are not charged later. A charge "
        "that is at the gateway already counts as the payment of its period."
    ),
    "resume": "It goes on with the next period from today. What passed is not charged.",
    "charge_now": (
        "The oldest failed period is collected at once, or else the next one ahead of its day."
    ),
    "keep": "It goes on as before. Changes that had been planned are not planned again.",
    "hold": (
        "For suspected fraud and the like: no charge and no change until it is released. A pause "
        "or a suspension beside it stays."
    ),
    "release": "Charges go on with the next period. A pause or a suspension beside it stays.",
    "cancel_at_period_end": (
        "No further period is charged. What is owed of the running one is still collected."
    ),
    "cancel": (
        "It ends now and cannot be taken up again. All that is planned is taken back; what is at "
        "the gateway already is refunded by itself if it goes through."
    ),
}
DONE = {
    "pause": "Paused. Nothing is charged until it is resumed.",
    "resume": "Resumed.",
    "charge_now": "The charge is on its way. Its result appears below.",
    "keep": "The cancellation was taken back.",
    "hold": "Held. Nothing is charged until it is released.",
    "release": "Released.",
    "cancel_at_period_end": "It ends with the running period.",
    "cancel": "Cancelled.",
}
# What becomes of a charge that was at the gateway at that moment.
IN_FLIGHT = {
    "pause": (
        "{count} charge is at the gateway already. If it goes through, it counts for its period."
    ),
    "hold": (
        "{count} charge is at the gateway already. If it goes through, it counts for its period."
    ),
    "cancel": (
        "{count} charge is at the gateway already. If it goes through, it is refunded by itself "
        "and the customer is told."
    ),
}
CAUSE = {
    "pause": "Paused",
    "suspension": "Suspended after failures",
    "hold": "Charges held by staff",
    "first_period": "First payment not made yet",
}
GOING = {
    "charges": "Planned charges",
    "retries": "Planned retries",
    "notices": "Messages not sent yet",
    "changes": "Planned changes",
    "accounts": "Accounts to pay into",
}
# The same, in the log's entry about what was taken back.
TAKEN_BACK = {
    "charges_withdrawn": "Planned charges",
    "retries_withdrawn": "Planned retries",
    "notices_revoked": "Messages not sent yet",
    "changes_withdrawn": "Planned changes",
    "accounts_closed": "Accounts to pay into",
}
