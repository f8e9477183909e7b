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


class ConsentsMissing(OpsError):
    """`kinds` of agreements; `keys`: hashes of the words that nobody has agreed to."""

    code = "consents_missing"
    http_status = 422
    message = "An agreement that this order needs was not given."
    remedy = "Read it and tick it if you agree."


class PriceChanged(OpsError):
    """`seen`, `now`: money, of what was on the screen."""

    code = "price_changed"
    message = "The price has changed: {now} now, {seen} before."
    remedy = "Look at it again before you pay."


class NeedsRegisteredMethod(OpsError):
    code = "needs_registered_method"
    http_status = 422
    message = "What recurs is paid by a registered payment method."
    remedy = "Register one, or choose one that is registered."


class PointsSettled(OpsError):
    code = "points_settled"
    message = "The points of this order are set: {points}."
    remedy = "Choose how to pay the rest."


class OrderRefTaken(OpsError):
    code = "order_ref_taken"
    message = "Another order or payment link has the number {order_ref}."
    remedy = "Choose another one, or use the one that is there."
