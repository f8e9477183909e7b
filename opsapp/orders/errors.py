from opsapp.kernel.errors import OpsError


class OrderDiffers(OpsError):
    code = "order_differs"
    message = "Order {order_ref} exists with other contents: {held}, not {wanted}."
    remedy = "Place another order under a reference of its own."


class BelowMinimum(OpsError):
    """`minimum`, `left`: money in minor units; `most_points` leaves the minimum to be paid."""

    code = "below_minimum"
    http_status = 422
    message = "{left} would be left to pay, and this way of paying takes no less than {minimum}."
    remedy = "Use at most {most_points} points, or pay all of it with points."


class LegMayBePaid(OpsError):
    code = "leg_may_be_paid"
    message = "This part of the order is paid, or may be paid yet: it cannot be given up."
    remedy = "Load the page again; what was paid can be refunded."


class NotInWon(OpsError):
    code = "points_need_won"
    http_status = 422
    message = "Points pay for orders in won only."
    remedy = "Place the order without points."
