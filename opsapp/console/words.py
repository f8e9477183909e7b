"""Statuses in words, an icon and a colour: the same everywhere. Keys of the catalogue, no text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """`icon` is a Bootstrap icon, `tone` one of its colours."""

    text: str
    icon: str
    tone: str


UNKNOWN = Word("Unknown", "question-circle", "secondary")

PAYMENT = {
    "pending": Word("Payment waiting", "hourglass-split", "info"),
    "awaiting_deposit": Word("Awaiting deposit", "bank", "info"),
    "paid": Word("Approved", "check-circle", "success"),
    "failed": Word("Failed", "x-circle", "danger"),
    "partly_refunded": Word("Partly refunded", "arrow-counterclockwise", "warning"),
    "refunded": Word("Fully refunded", "arrow-counterclockwise", "secondary"),
    "cancelled": Word("Withdrawn", "slash-circle", "secondary"),
    "uncertain": Word("Uncertain", "question-diamond", "warning"),
}
ATTEMPT = {
    "ready": Word("Planned", "calendar-event", "info"),
    "inflight": Word("In progress", "arrow-repeat", "info"),
    "waiting": Word("Awaiting deposit", "bank", "info"),
    "unknown": Word("Uncertain", "question-diamond", "warning"),
    "succeeded": Word("Approved", "check-circle", "success"),
    "declined": Word("Declined", "x-circle", "danger"),
    "withdrawn": Word("Withdrawn", "slash-circle", "secondary"),
    "needs_human": Word("A person must look", "person-exclamation", "danger"),
}
REFUND = {
    "requested": Word("Requested", "hourglass-split", "info"),
    "inflight": Word("In progress", "arrow-repeat", "info"),
    "unknown": Word("Uncertain", "question-diamond", "warning"),
    "succeeded": Word("Refunded", "check-circle", "success"),
    "refused": Word("Refused", "x-circle", "danger"),
    "needs_human": Word("A person must look", "person-exclamation", "danger"),
}
SUBSCRIPTION = {
    "active": Word("Active", "check-circle", "success"),
    "past_due": Word("Past due", "exclamation-triangle", "warning"),
    "paused": Word("Paused", "pause-circle", "secondary"),
    "suspended": Word("Suspended", "x-octagon", "danger"),
    "cancelled": Word("Terminated", "slash-circle", "secondary"),
}
METHOD = {
    "requested": Word("Being registered", "hourglass-split", "info"),
    "issuing": Word("Being registered", "arrow-repeat", "info"),
    "active": Word("Usable", "check-circle", "success"),
    "refused": Word("Refused", "x-circle", "danger"),
    "expired": Word("Expired", "calendar-x", "danger"),
    "needs_human": Word("A person must look", "person-exclamation", "danger"),
    "deleted": Word("Deleted", "trash", "secondary"),
}
NOTICE = {
    "queued": Word("Waiting to go", "hourglass-split", "info"),
    "sending": Word("In progress", "arrow-repeat", "info"),
    "sent": Word("Sent", "check-circle", "success"),
    "failed": Word("Failed", "x-circle", "danger"),
    "revoked": Word("Not sent any more", "slash-circle", "secondary"),
}
TICKET = {
    "open": Word("New", "inbox", "info"),
    "in_progress": Word("In work", "person-check", "warning"),
    "resolved": Word("Done", "check-circle", "success"),
}
ACCOUNT = {
    "active": Word("Active", "check-circle", "success"),
    "disabled": Word("Disabled", "slash-circle", "secondary"),
}
TABLES = {
    "payment": PAYMENT,
    "attempt": ATTEMPT,
    "refund": REFUND,
    "subscription": SUBSCRIPTION,
    "payment_method": METHOD,
    "notice": NOTICE,
    "ticket": TICKET,
    "staff_account": ACCOUNT,
}

METHOD_KIND = {
    "card": "Card",
    "transfer": "Bank transfer",
    "easy_pay": "Easy pay",
    "virtual_account": "Virtual account",
}
SUBJECT = {
    "payment": "Payment",
    "attempt": "Attempt",
    "refund": "Refund",
    "subscription": "Subscription",
    "order": "Order",
    "payment_method": "Payment method",
    "notice": "Notice",
    "ticket": "Ticket",
    "staff_account": "Staff account",
    "customer": "Customer",
    "audit_log": "Audit log",
    "gateway_event": "Gateway's notice",
    "job": "Job",
}
ROLE = {
    "cs": "Customer service",
    "finance": "Finance",
    "admin": "Administrator",
    "auditor": "Auditor",
}
GATEWAY = {"toss": "Toss Payments"}

# What the failure class means, and who has to do something about it.
FAILURE = {
    "authentication_failure": (
        "The card or account details were refused, or the limit or balance did not suffice.",
        "The customer must act",
    ),
    "expired_or_suspended": (
        "The card or account has expired or is suspended.",
        "The customer must act",
    ),
    "gateway_error": ("The gateway or the bank had a fault.", "Retried automatically"),
    "fraud_suspected": ("The gateway suspects fraud.", "We must act"),
    "customer_cancelled": ("The customer broke off the payment.", "The customer must act"),
    "configuration_error": ("Our contract or settings at the gateway are wrong.", "We must act"),
    "state_conflict": ("The gateway holds another state than we do.", "We must act"),
}

# Where the gateway's own code says more than the class; the rest is ours to put right.
FAILURE_TOLD = ("authentication_failure", "expired_or_suspended", "gateway_error")

FAILURE_UNKNOWN = ("The gateway gave no reason that we know.", "We must act")

# The header of a payment: what happens next, in one sentence.
NEXT_STEP = {
    "pending": "It is charged as soon as its turn comes. Nothing needs to be done.",
    "awaiting_deposit": "We wait for the customer's deposit on the virtual account.",
    "paid": "The money has been taken. It can be refunded in full or in part.",
    "failed": (
        "No money was taken and no further try is planned. The customer must use another method."
    ),
    "partly_refunded": "Part of it was given back. The rest can still be refunded.",
    "refunded": "All of it was given back. Nothing more can be done.",
    "cancelled": "It was withdrawn before any money was taken.",
    "uncertain": (
        "The gateway's answer is missing: money may or may not have been taken. We keep asking; "
        "do not charge again."
    ),
}
REFUND_STEP = {
    "requested": "Saved. It goes to the gateway in its turn.",
    "inflight": "The gateway is being asked.",
    "unknown": "The gateway's answer is missing. We ask again under the same key.",
    "succeeded": "The gateway has given the money back.",
    "refused": "The gateway refused. No money moved.",
    "needs_human": "The machine cannot settle it. Look at the gateway's own books.",
}
REFUND_REASONS = {
    "customer_wish": "Customer changed their mind",
    "not_delivered": "Goods or service not delivered",
    "defective": "Defective or wrong goods",
    "double_charge": "Charged twice",
    "price_correction": "Price corrected",
    "other": "Other reason",
}
TICKET_REASON = {
    "repeated_failure": "Payment failed repeatedly",
    "method_unusable": "Payment method cannot be used",
    "gateway_keeps_failing": "Gateway keeps failing",
    "registration_stuck": "Card registration is stuck",
    "uncertain_attempt": "Payment result uncertain",
    "refund_stuck": "Refund is stuck",
    "refund_refused": "Refund refused by the gateway",
    "gateway_disagrees": "The gateway says otherwise",
}
NOTICE_KIND = {
    "payment_failed": "Payment failed",
    "payment_method_unusable": "Payment method cannot be used",
    "deposit_requested": "Account to pay into",
    "refund_made": "Refund made",
    "subscription_suspended": "Subscription suspended",
}
FAILURE_SHORT = {
    "authentication_failure": "Details, limit or balance",
    "expired_or_suspended": "Expired or suspended",
    "gateway_error": "Gateway fault",
    "fraud_suspected": "Fraud suspected",
    "customer_cancelled": "Broken off",
    "configuration_error": "Our settings",
    "state_conflict": "States differ",
}
SUBSCRIPTION_STEP = {
    "active": "It is charged by itself when the next period falls due.",
    "past_due": "A charge failed. It is tried again by plan; another failure opens a ticket.",
    "paused": "Nothing is charged until it is resumed.",
    "suspended": "Stopped after repeated failures. The customer needs another payment method.",
    "cancelled": "It has ended. Nothing will be charged any more.",
}
SUBSCRIPTION_ACTION = {
    "pause": "Pause",
    "resume": "Resume",
    "charge_now": "Charge now",
    "cancel": "Cancel the subscription",
}
SUBSCRIPTION_EFFECT = {
    "pause": (
        "Planned retries are taken back. A charge that is at the gateway already goes on to its "
        "end. Periods that pass meanwhile are not charged later."
    ),
    "resume": "It goes on with the next period from today. What passed is not charged.",
    "charge_now": (
        "The oldest failed period is collected at once, or else the next one ahead of its day."
    ),
    "cancel": (
        "It ends now and cannot be taken up again. Planned charges are taken back; money already "
        "paid stays and can be refunded."
    ),
}
SUBSCRIPTION_DONE = {
    "pause": "Paused. Nothing is charged until it is resumed.",
    "resume": "Resumed.",
    "charge_now": "The charge is on its way. Its result appears below.",
    "cancel": "Cancelled.",
}
TICKET_STEP = {
    "repeated_failure": (
        "Call the customer: another card, or the limit raised. Then charge the subscription again."
    ),
    "method_unusable": "Ask the customer to register another payment method.",
    "gateway_keeps_failing": "Ask the gateway what is wrong; the customer can do nothing here.",
    "registration_stuck": "Ask the customer to register the card again.",
    "uncertain_attempt": (
        "Look the order number up in the gateway's own console before doing anything else."
    ),
    "refund_stuck": "Look the cancellation up in the gateway's own console; then settle it here.",
    "refund_refused": "Read the gateway's reason in the timeline; nothing was given back.",
    "gateway_disagrees": (
        "Compare the payment in the gateway's own console: money may have been taken back."
    ),
}
CHANNEL = {"email": "E-mail"}
WORK = {
    "attempts": "Charges and inquiries",
    "refunds": "Refunds",
    "payment_methods": "Card registrations",
    "notices": "Notices",
}
PERMISSION = {
    "view": "See everything operational",
    "refund": "Refund",
    "manage_subscriptions": "Manage subscriptions",
    "work_tickets": "Work on tickets",
    "read_log": "Read the audit log",
    "manage_staff": "Manage staff",
}
TRANSFER = {
    "charge": "Charge",
    "refund_requested": "Refund requested",
    "refund": "Refund",
    "refund_refused": "Refund refused",
}
TRANSFER_MEANING = {
    "charge": "The gateway took the customer's money and owes it to us.",
    "refund_requested": "Set aside for the refund until the gateway has answered.",
    "refund": "Given back; the gateway owes us that much less.",
    "refund_refused": "The refund did not happen; what was set aside is ours again.",
}
LEDGER = {
    "gateway_clearing": "Owed by the gateway",
    "sales": "Sales",
    "refunds": "Refunds",
    "refunds_in_transit": "Refunds in transit",
}
ACTION = {
    "subscription.started": "Subscribed",
    "staff_account.signed_in": "Signed in",
}
# Banks of virtual accounts, by the clearing house's codes that the gateway sends.
BANK = {
    "03": "Industrial Bank of Korea", "04": "KB Kookmin Bank", "07": "Suhyup Bank",
    "11": "NH Nonghyup Bank", "20": "Woori Bank", "23": "SC First Bank", "31": "iM Bank",
    "32": "Busan Bank", "34": "Gwangju Bank", "37": "Jeonbuk Bank", "39": "Kyongnam Bank",
    "45": "Saemaul Geumgo", "71": "Korea Post", "81": "Hana Bank", "88": "Shinhan Bank",
    "89": "K Bank", "90": "Kakao Bank", "92": "Toss Bank",
}  # fmt: skip
# What rooms fill into their refusals.
FILLED_IN = (
    "The period ends before it begins.",
    "a deposit is given back to a bank account, not yet known",
    "cancelled",
    "customer",
    "payment",
    "refund",
    "resumed",
    "staff account",
    "subscription",
    "ticket",
)
# Reasons that machines write into the log, as people read them.
BECAUSE = (
    "Redis held a job that is not ours; it was refused",
    "address_braked",
    "another payment method was given",
    "approved by the gateway",
    "attempt 2 planned",
    "attempt 3 planned",
    "cancelled",
    "charged by staff",
    "claimed, to be inquired",
    "claimed, to be sent",
    "found given back at the gateway",
    "no certain answer",
    "no certain answer in many turns",
    "locked_or_disabled",
    "no readable answer",
    "not found yet",
    "not found: the same key may be sent again",
    "paused",
    "refunded by the gateway",
    "resumed after it was paused",
    "resumed after it was suspended",
    "subscribed",
    "taken",
    "the channel took it",
    "the gateway refused; no money moved",
    "the missing period was paid",
    "the subscription was cancelled",
    "the subscription was paused",
    "the subscription was suspended",
    "unknown_email",
    "waiting for the deposit",
    "wrong_password",
)
INTERVAL = {
    "day": ("Every day", "Every {count} days"),
    "week": ("Every week", "Every {count} weeks"),
    "month": ("Every month", "Every {count} months"),
}


def word(kind: str, status: str) -> Word:
    return TABLES[kind].get(status, UNKNOWN)


def status_word(status: str, *, hint: str) -> Word:
    """A status in a refusal; the refusal's code begins with its subject, if anything tells it."""
    tables = sorted(TABLES.items(), key=lambda item: not hint.startswith(item[0]))
    return next((table[status] for _, table in tables if status in table), UNKNOWN)
