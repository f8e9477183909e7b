from opsapp.kernel.errors import OpsError


class CheckoutOver(OpsError):
    code = "checkout_over"
    http_status = 410
    message = "This payment link is {status}."
    remedy = "Ask the shop for a new link."


class TooManyChoices(OpsError):
    code = "too_many_choices"
    http_status = 429
    message = "This link was used to start too many payments."
    remedy = "Ask the shop for a new one."
