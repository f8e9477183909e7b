from opsapp.kernel.errors import OpsError


class MethodNotUsable(OpsError):
    code = "method_not_usable"
    message = "This payment method is {status}."
    remedy = "Choose another one, or register a new one."


class MethodOfAnother(OpsError):
    code = "method_of_another_customer"
    http_status = 422
    message = "The payment method belongs to another customer."
    remedy = "Choose one of the customer's own methods."


class MethodInUse(OpsError):
    code = "method_in_use"
    message = "The payment method cannot be deleted while it is {status}."
    remedy = "Wait until the gateway has answered, then try again."
