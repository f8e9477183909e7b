from opsapp.kernel.errors import OpsError


class OrderDiffers(OpsError):
    code = "order_differs"
    message = "Order {order_ref} exists with {held}, not with {wanted}."
    remedy = "Place another order under a reference of its own."
