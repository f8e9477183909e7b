from opsapp.kernel.errors import OpsError


class NoRoute(OpsError):
    """`reasons` names each gateway and why it cannot take the payment."""

    code = "no_route"
    http_status = 503
    message = "No gateway can take this payment now ({reasons})."
    remedy = "Choose another way to pay, or try again in a few minutes."


class CircuitElsewhere(OpsError):
    code = "circuit_elsewhere"
    message = "The gateway is in another state by now."
    remedy = "Load the page again and look at what has changed."
