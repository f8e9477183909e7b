"""What staff read about webhooks to the shop. Keys of the catalogue, no text."""

DONE = {
    "test": "A test event was sent; its answer appears in the log below.",
    "enable": "The address is in use again. What it missed can be sent again below.",
    "disable": "Nothing more is sent to this address.",
    "changed": "The address was changed.",
    "replayed": "What it had not taken is being sent again.",
    "again": "It is being sent again.",
}
STATUS = {
    "waiting": "behind an earlier one",
    "pending": "to be sent",
    "sending": "being sent",
    "delivered": "taken",
    "given_up": "given up",
}
# How sendings and addresses came to stand as they do.
BECAUSE = (
    "it answered that it wants no more",
    "it took nothing for three days",
    "staff stopped it",
    "staff let it go on",
    "the address was enabled",
    "the address was disabled",
    "the address took it",
    "the address is not one of the internet",
    "the one before it has ended",
    "staff want it sent again",
)
FILLED_IN = (
    "address",
    "event",
    "sending",
    "Enter an address.",
    "has at most 100 characters.",
    "is registered already.",
    "must be https, with the name of a host of the internet and a usual port.",
)
