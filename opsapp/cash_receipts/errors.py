from opsapp.kernel.errors import OpsError


class ReceiptNotOffered(OpsError):
    code = "receipt_not_offered"
    http_status = 422
    message = "A cash receipt cannot be issued for this payment: {reason}."
    remedy = "Only a bank transfer or a virtual account that was paid has one."


class ReceiptExists(OpsError):
    code = "receipt_exists"
    message = "This payment has a cash receipt already."
    remedy = "Cancel it first, or wait until it has ended."


class ReceiptMoved(OpsError):
    code = "receipt_moved"
    message = "The cash receipt is {status}, so this is not possible now."
    remedy = "Load the page again."
