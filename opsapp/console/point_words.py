"""What the points' pages say. Keys of the catalogue, no text."""

ENTRY = {
    "earned": "Points earned",
    "reserved": "Points set aside",
    "posted": "Points spent",
    "voided": "Points given back",
    "restored": "Points given back",
    "expired": "Points expired",
    "adjusted": "Points adjusted",
}
DONE = {
    "requested": "The adjustment is asked for; a second person decides it.",
    "approve": "The adjustment is approved and the points are moved.",
    "refuse": "The adjustment is refused; nothing was moved.",
    "withdraw": "The adjustment is withdrawn; nothing was moved.",
}
OPEN_ITEM = {
    "refunds_in_transit": "Refunds that a gateway has not answered yet.",
    "unmatched_money": "Money that no payment wanted and nobody has dealt with.",
    "points_reserved": "Points set aside for purchases that are not paid yet.",
    "gateway_clearing": "Collected by the gateway and not paid out to us yet.",
    "seller_payable": "Owed to a seller and not paid out yet.",
}
BECAUSE = (
    "set aside for a purchase",
    "what they were set aside for is paid",
    "their last day is over",
)
FILLED_IN = (
    "adjustment",
    "point reservation",
    "Must be above 0.",
    "At most 1,000,000 points at once.",
    "Give a reason of 5 to 200 characters.",
    "This day is over.",
    "At most ten years from today.",
)
