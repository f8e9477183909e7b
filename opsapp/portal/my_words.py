"""What my-page says. Keys of the catalogue, no text."""

from opsapp.portal.paying_words import BANK
from opsapp.portal.subscription_words import CONSENT, INTERVAL, METHOD, PAYMENT, STATUS

__all__ = ["BANK", "CONSENT", "INTERVAL", "METHOD", "PAYMENT", "STATUS"]

NO_ADDRESS = "Give an e-mail address or a mobile number."
# What a page says after an act, by a name in its address.
DONE = {
    "signed_out": "You are signed out.",
    "signed_out_everywhere": "You are signed out on all devices.",
    "charging": "We are trying to charge it now. The result appears here in a moment.",
    "switched": "The payment method was changed. What is missing is charged to it now.",
    "made_default": "It is used first from now on.",
    "deleted": "The payment method was deleted.",
    "withdrawn": "Your agreement was taken back.",
    "link_sent": "We have sent you a sign-in link. Open it, then come back here.",
    "paused": "It is paused. Nothing is charged until it goes on.",
    "resumed": "It goes on. What passed meanwhile is not charged.",
    "ending": "It ends with the current period. Nothing is charged after that.",
    "cancelled": "It is cancelled. Nothing is left to be charged.",
    "cancelled_in_flight": "It is cancelled. One payment was on its way to the card company "
    "already: if it goes through, it is refunded by itself and we tell you.",
    "kept": "The cancellation was taken back. It goes on as before.",
}
METHOD_STATE = {
    "requested": "Being registered",
    "issuing": "Being registered",
    "active": "Can be used",
    "expired": "Expired",
    "blocked": "Blocked",
    "deleting": "Being deleted",
}
REFUND = {
    "awaiting_account": "We need your bank account",
    "requested": "On its way",
    "inflight": "On its way",
    "unknown": "On its way",
    "needs_human": "On its way",
    "succeeded": "Refunded",
}
RECEIPT_KIND = {
    "income_deduction": "Cash receipt: income deduction",
    "expense_proof": "Cash receipt: proof of expense",
}
POINTS = {
    "earned": "Earned",
    "reserved": "Spent on an order",
    "posted": "Spent",
    "voided": "Released from an order",
    "restored": "Given back with a refund",
    "expired": "Expired",
    "adjusted": "Adjusted",
}
ORDER = {
    "unpaid": "Not paid yet",
    "checking": "Being checked",
    "partly_paid": "Partly paid",
    "paid": "Paid",
    "partly_refunded": "Partly refunded",
    "refunded": "Refunded",
    "released": "Given up",
}
LEG = {
    "paid": "Paid",
    "free": "Free for now",
    "unpaid": "Not paid yet",
    "checking": "Being checked",
    "at_window": "The payment window is open",
    "awaiting_deposit": "Waiting for the deposit",
    "failed": "Not paid",
    "contact": "We are looking into it",
    "released": "Given up",
    "partly_refunded": "Partly refunded",
    "refunded": "Refunded",
}
NEXT = {
    "choose": "Please choose how to pay.",
    "retry": "We try again by ourselves.",
    "wait": "Please do not pay again. The result appears here.",
    "window": "Please finish at the payment window, or choose another way.",
    "deposit": "Please pay in to the account.",
    "contact": "We find out and write to you. Please do not pay again.",
}
CHANNEL = {
    "email": "E-mail",
    "sms": "Text message",
    "fcm": "App push",
    "webpush": "Browser push",
}
NOTICE = {
    "payment_link": "Payment link",
    "my_page_link": "Sign-in link",
    "refund_account_asked": "Bank account for a refund",
    "payment_failed": "Payment failed",
    "payment_method_unusable": "Payment method cannot be used",
    "payment_method_deleted": "Payment method deleted",
    "deposit_requested": "Account to pay into",
    "refund_made": "Refund made",
    "subscription_suspended": "Subscription suspended",
    "payment_receipt": "Receipt of a payment",
    "upcoming_charge": "Charge announced",
    "trial_ending": "End of the free trial",
    "price_change": "New price, to be agreed to",
    "plan_changed": "Plan changed",
    "plan_change_unpaid": "Change of plan not paid",
    "consent_withdrawn": "Agreement withdrawn",
    "method_expiring": "Payment method about to expire",
    "method_expired_update": "Payment method expired",
    "points_expiring": "Points about to expire",
    "gateway_trouble_apology": "Apology for a fault of the payment company",
    "recovery_reminder": "Payment failed, tried again",
    "recovery_last_warning": "Last warning before suspension",
    "subscription_paused": "Subscription paused",
    "subscription_resumed": "Subscription resumed",
    "subscription_cancelled": "Subscription cancelled",
    "subscription_ending": "Subscription about to end",
    "charged_after_cancel_refunded": "Charge after cancelling refunded",
}
OTHER_NOTICE = "Message about your account"
ASKED = "asked for by the customer"
FILLED_IN = (
    "There is nothing here.",
    "Go back to your page.",
    "Give an e-mail address or a mobile number.",
    "Message about your account",
)
