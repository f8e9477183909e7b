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
    "at_window": Word("At the payment window", "window", "info"),
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
    "awaiting_account": Word("Bank account needed", "bank", "warning"),
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
    "blocked": Word("Blocked", "ban", "danger"),
    "deleting": Word("Being deleted", "arrow-repeat", "info"),
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
CIRCUIT = {
    "closed": Word("In service", "check-circle", "success"),
    "open": Word("Resting after faults", "x-octagon", "danger"),
    "probing": Word("Being tried out", "activity", "warning"),
    "paused": Word("Stopped", "pause-circle", "danger"),
}
UNMATCHED = {
    "open": Word("To be decided", "exclamation-diamond", "warning"),
    "returning": Word("Going back", "arrow-counterclockwise", "info"),
    "returned": Word("Gone back", "arrow-counterclockwise", "secondary"),
    "accepted": Word("Accepted", "check-circle", "success"),
}
CHECKOUT = {
    "open": Word("Link can be used", "link-45deg", "info"),
    "paid": Word("Paid by link", "check-circle", "success"),
    "expired": Word("Time is over", "calendar-x", "secondary"),
    "cancelled": Word("Withdrawn", "slash-circle", "secondary"),
}
RECEIPT = {
    "wanted": Word("Wanted when paid", "calendar-event", "info"),
    "requested": Word("Requested", "hourglass-split", "info"),
    "in_progress": Word("At the tax office", "arrow-repeat", "info"),
    "issued": Word("Receipt issued", "check-circle", "success"),
    "cancelling": Word("Being cancelled", "arrow-repeat", "info"),
    "cancelled": Word("Cancelled", "slash-circle", "secondary"),
    "failed": Word("Refused", "x-circle", "danger"),
    "withdrawn": Word("Withdrawn", "slash-circle", "secondary"),
    "needs_human": Word("A person must look", "person-exclamation", "danger"),
}
EVENT = {
    "stored": Word("Waiting to be looked into", "hourglass-split", "info"),
    "reading": Word("The gateway is being asked", "arrow-repeat", "info"),
    "applied": Word("Applied", "check-circle", "success"),
    "ignored": Word("Nothing new", "slash-circle", "secondary"),
    "needs_human": Word("A person must look", "person-exclamation", "danger"),
}
TABLES = {
    "checkout": CHECKOUT,
    "cash_receipt": RECEIPT,
    "gateway_event": EVENT,
    "payment": PAYMENT,
    "attempt": ATTEMPT,
    "refund": REFUND,
    "subscription": SUBSCRIPTION,
    "payment_method": METHOD,
    "notice": NOTICE,
    "ticket": TICKET,
    "unmatched_money": UNMATCHED,
    "staff_account": ACCOUNT,
    "gateway_circuit": CIRCUIT,
}

METHOD_KIND = {
    "card": "Card",
    "transfer": "Bank transfer",
    "easy_pay": "Easy pay",
    "mobile": "Mobile phone",
    "virtual_account": "Virtual account",
}
SUBJECT = {
    "checkout": "Payment link",
    "cash_receipt": "Cash receipt",
    "payment": "Payment",
    "attempt": "Attempt",
    "refund": "Refund",
    "subscription": "Subscription",
    "order": "Order",
    "payment_method": "Payment method",
    "notice": "Notice",
    "ticket": "Ticket",
    "unmatched_money": "Unmatched money",
    "staff_account": "Staff account",
    "customer": "Customer",
    "failure_code": "Failure code",
    "unmapped_code": "Unknown failure code",
    "audit_log": "Audit log",
    "gateway_event": "Gateway's notice",
    "gateway_circuit": "Gateway",
    "gateway_route": "Route",
    "job": "Job",
}
ROLE = {
    "cs": "Customer service",
    "finance": "Finance",
    "admin": "Administrator",
    "auditor": "Auditor",
}
GATEWAY = {"toss": "Toss Payments", "portone": "PortOne", "stripe": "Stripe"}

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
    "undecided": (
        "The gateway has given no certain answer, and nobody asks it by itself any more. A person "
        "compares both records and decides; do not charge again."
    ),
    "uncertain": (
        "The gateway's answer is missing: money may or may not have been taken. We keep asking; "
        "do not charge again."
    ),
}
REFUND_STEP = {
    "awaiting_account": "The amount is reserved. It goes back once a bank account is named.",
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
NOTICE_KIND = {
    "payment_link": "Payment link",
    "refund_account_asked": "Bank account asked for",
    "payment_failed": "Payment failed",
    "payment_method_unusable": "Payment method cannot be used",
    "payment_method_deleted": "Payment method deleted at the gateway",
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
CHANNEL = {"email": "E-mail"}
WORK = {
    "attempts": "Charges and inquiries",
    "refunds": "Refunds",
    "gateway_events": "Gateways' notices",
    "cash_receipts": "Cash receipts",
    "payment_methods": "Card registrations",
    "notices": "Notices",
}
PERMISSION = {
    "manage_orders": "Make payment links",
    "manage_receipts": "Issue and cancel cash receipts",
    "decide_uncertain": "Decide uncertain outcomes",
    "view": "See everything operational",
    "refund": "Refund",
    "manage_subscriptions": "Manage subscriptions",
    "work_tickets": "Work on tickets",
    "read_log": "Read the audit log",
    "manage_staff": "Manage staff",
    "manage_methods": "Manage payment methods",
    "edit_failure_codes": "Edit failure codes",
    "manage_gateways": "Stop gateways and set routes",
}
# Banks of virtual accounts, by the clearing house's codes that the gateway sends.
BANK = {
    "03": "Industrial Bank of Korea", "04": "KB Kookmin Bank", "07": "Suhyup Bank",
    "11": "NH Nonghyup Bank", "20": "Woori Bank", "23": "SC First Bank", "31": "iM Bank",
    "32": "Busan Bank", "34": "Gwangju Bank", "37": "Jeonbuk Bank", "39": "Kyongnam Bank",
    "45": "Saemaul Geumgo", "71": "Korea Post", "81": "Hana Bank", "88": "Shinhan Bank",
    "89": "K Bank", "90": "Kakao Bank", "92": "Toss Bank",
    "02": "Korea Development Bank",
    "06": "KB Kookmin Bank",
    "27": "Citibank Korea",
    "35": "Jeju Bank",
    "48": "Shinhyup",
    "64": "National Forestry Cooperative",
}  # fmt: skip
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
