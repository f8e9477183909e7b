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


class LinkUnknown(OpsError):
    code = "link_unknown"
    http_status = 404
    message = "This link does not work any more."
    remedy = "Ask the shop for a new one."


class TooManyLinks(OpsError):
    code = "too_many_links"
    http_status = 429
    message = "Too many links that do not work were opened from here."
    remedy = "Wait an hour, then use the link of the latest message."


class MethodIsCharged(OpsError):
    code = "method_is_charged"
    message = "A subscription is charged to this payment method."
    remedy = "Replace it by another one first, or cancel the subscription."


class MethodNotBlockable(OpsError):
    code = "method_not_blockable"
    message = "A payment method that is {status} cannot be blocked or let go again."
    remedy = "Load the page again to see its state."


class NotRegistrable(OpsError):
    code = "not_registrable"
    http_status = 422
    message = "This way to pay cannot be registered here."
    remedy = "Choose another one."


class WindowNotReady(OpsError):
    code = "window_not_ready"
    http_status = 503
    message = "The payment company's page cannot be opened just now."
    remedy = "Try again in a few minutes."


class RegistrationOfAnother(OpsError):
    code = "registration_of_another"
    http_status = 422
    message = "What came back from the payment company does not belong to this page."
    remedy = "Please register the payment method again."


class TooManyRegistrations(OpsError):
    code = "too_many_registrations"
    http_status = 429
    message = "Too many payment methods were tried within a day."
    remedy = "Try again tomorrow, or call the shop."


class TooManyAsks(OpsError):
    code = "too_many_asks"
    http_status = 429
    message = "Too many sign-in links were asked for from here."
    remedy = "Use the newest one, or wait an hour."


class CustomerDiffers(OpsError):
    code = "customer_differs"
    message = "Another customer is registered under this number."
    remedy = "Update that one, or choose another number."
