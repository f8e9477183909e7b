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


class RefundSent(OpsError):
    code = "refund_sent"
    message = "This refund is {status} already: it can no longer be taken back."
    remedy = "Look at what the gateway answers."


class NotRetryable(OpsError):
    code = "not_retryable"
    message = "Another attempt is not possible: the payment is {status}."
    remedy = "Only a failed payment can be tried again."


class BooksUnread(OpsError):
    code = "gateway_books_unread"
    http_status = 503
    message = "The books of {gateway} could not be read ({reason}): nothing is known about them."
    remedy = "Try again when the gateway answers."


class NoWindow(OpsError):
    code = "no_window"
    message = "There is no open payment window for this payment."
    remedy = "Choose a way to pay again."


class WindowAway(OpsError):
    code = "window_away"
    http_status = 503
    message = "The payment window of {gateway} cannot be opened now ({reason})."
    remedy = "Try again in a moment, or choose another way to pay."


class AmountDiffers(OpsError):
    code = "amount_differs"
    http_status = 422
    message = "The window came back with {returned}; the order is about {expected}."
    remedy = "Nothing was charged. Start the payment again from the order."


class WindowOpen(OpsError):
    code = "window_open"
    message = "Another payment window is still open for this payment."
    remedy = "Finish it or close it; after 45 minutes another way can be chosen."


class OnlyWhole(OpsError):
    code = "only_whole"
    http_status = 422
    message = "This way of paying can only be refunded whole: {refundable}."
    remedy = "Refund all of it, or settle the difference by bank transfer."


class RefundMonthOver(OpsError):
    code = "refund_month_over"
    message = "A payment by mobile phone can only be refunded in the month it was made in."
    remedy = "Pay it back by bank transfer."


class BeingAsked(OpsError):
    code = "being_asked"
    message = "The gateway is being asked about this payment just now."
    remedy = "Wait a few seconds; the page shows the result by itself."


class NeedsDecision(OpsError):
    code = "needs_decision"
    message = "Nobody knows whether the money of this payment has moved."
    remedy = "It must first be decided at the desk of uncertain outcomes."


class AccountNotAwaited(OpsError):
    code = "account_not_awaited"
    message = "This refund does not wait for a bank account: it is {status}."
    remedy = "Load the page again."


class OwnEntry(OpsError):
    code = "own_entry"
    http_status = 403
    message = "You have typed this account in yourself, so somebody else has to confirm its holder."
    remedy = "Ask a colleague, or send the customer a new link."


class NothingToReturn(OpsError):
    code = "nothing_to_return"
    message = "This case cannot be returned: it is {status}."
    remedy = "Load the page again."


class NotUncertain(OpsError):
    code = "not_uncertain"
    message = "There is nothing to decide: the state is {status}."
    remedy = "Somebody or something was faster. Load the page again."


class EvidenceChanged(OpsError):
    code = "evidence_changed"
    message = "The evidence has changed since this page showed it."
    remedy = "Look at it again before deciding."


class AgainstTheFacts(OpsError):
    code = "against_the_facts"
    http_status = 422
    message = "The gateway's answer says otherwise: this cannot be booked."
    remedy = "A decision never undoes what the gateway has confirmed."


class ForgedMessage(OpsError):
    code = "forged_message"
    http_status = 403
    message = "This message does not know the secret of the account that it is about."
    remedy = "Compare the gateway's settings with the registered address."


class TooManyMessages(OpsError):
    code = "too_many_messages"
    http_status = 429
    message = "More messages without a signature came than can be looked into."
    remedy = "The gateway sends it again later; name its addresses in the settings."


class NotAcceptable(OpsError):
    code = "not_acceptable"
    message = "This money cannot be taken for its payment: {reason}."
    remedy = "Give it back to the customer instead."


class NotReplayable(OpsError):
    code = "event_not_replayable"
    message = "Nothing was played again: the messages are being looked into already."
    remedy = "Wait until they have been looked into."


class FilterMoved(OpsError):
    code = "event_filter_moved"
    message = "The filter now fits {count} messages; this screen showed {seen}."
    remedy = "Look at the list again before you play them."
