from opsapp.kernel.errors import OpsError


class NotRefundable(OpsError):
    code = "not_refundable"
    message = "This payment cannot be refunded: {reason}."
    remedy = "Only a paid amount that has not been given back can be refunded."


class RefundTooLarge(OpsError):
    code = "refund_too_large"
    http_status = 422
    message = "At most {refundable} can be refunded; {wished} was asked for."
    remedy = "Enter a smaller amount."


class RefundableChanged(OpsError):
    code = "refundable_changed"
    message = "The refundable amount is now {refundable}; this screen showed {seen}."
    remedy = "Look at the payment again before refunding."


class RefundUnderWay(OpsError):
    code = "refund_under_way"
    message = "A refund of {amount} by {by} is still under way."
    remedy = "Wait until it has ended."


class NotRetryable(OpsError):
    code = "not_retryable"
    message = "Another attempt is not possible: the payment is {status}."
    remedy = "Only a failed payment can be tried again."


class BooksUnread(OpsError):
    code = "gateway_books_unread"
    http_status = 503
    message = "The books of {gateway} could not be read ({reason}): nothing is known about them."
    remedy = "Try again when the gateway answers."
