"""What the page of a customer says of payment methods. Keys of the catalogue, no text."""

ACTION = {
    "gateway_event.body_viewed": "Body looked at",
    "set_default": "Make it the default",
    "replace": "Replace by",
    "block": "Block",
    "unblock": "Lift the block",
    "ask_again": "Ask the gateway again",
    "delete": "Delete",
}
DONE = {
    "set_default": "It is the default now.",
    "block": "Blocked. Nothing is charged to it until the block is lifted.",
    "unblock": "The block is lifted.",
    "delete": "It is deleted at the gateway too; nothing is charged to it any more.",
    "ask_again": "The gateway is asked once more.",
    "replace": "Replaced. Subscriptions go on with the other payment method.",
}
# What the room fills into its refusals.
FILLED_IN = ("Choose another payment method than this one.", "payment method")
# Reasons that machines write into the log.
BECAUSE = (
    "claimed; the gateway is asked to delete the billing key",
    "claimed; the gateway is asked to issue a billing key",
    "deleted at the gateway",
    "the gateway gives no certain answer about this deletion",
    "the gateway has no such key any more",
)
