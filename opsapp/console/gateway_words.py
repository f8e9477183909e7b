"""What the gateways' page says. Keys of the catalogue, no text."""

CIRCUIT_STEP = {
    "closed": "It is asked as usual.",
    "open": "Nothing is sent there for a while; charges and refunds wait and lose no turn.",
    "probing": "A few calls go through. When they go well, everything goes on by itself.",
    "paused": "Nothing is sent there until an administrator lets it go on.",
}
CIRCUIT_ACTION = {"pause": "Stop", "resume": "Let it go on", "try_now": "Try now"}
ROUTE_ACTION = {"move_up": "Up", "activate": "Use", "deactivate": "Do not use"}
