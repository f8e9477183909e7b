"""Statuses in words, an icon and a colour: the same everywhere. Keys of the catalogue, no text."""

from opsapp.console.approval_words import STATUS as APPROVAL
from opsapp.console.export_words import STATUS as EXPORT
from opsapp.console.status_words import (
    LEG,
    POINT_ADJUSTMENT,
    POINT_RESERVATION,
    TICKET_PRIORITY,
    Word,
)

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
    "awaiting_approval": Word("Waits for a second person", "people", "warning"),
    "held": Word("Held, can be undone", "hourglass-split", "info"),
    "awaiting_account": Word("Bank account needed", "bank", "warning"),
    "requested": Word("Requested", "hourglass-split", "info"),
    "inflight": Word("In progress", "arrow-repeat", "info"),
    "unknown": Word("Uncertain", "question-diamond", "warning"),
    "succeeded": Word("Refunded", "check-circle", "success"),
    "refused": Word("Refused", "x-circle", "danger"),
    "withdrawn": Word("Withdrawn", "slash-circle", "secondary"),
    "needs_human": Word("A person must look", "person-exclamation", "danger"),
}
SUBSCRIPTION = {
    "trialing": Word("In trial", "gift", "info"),
    "active": Word("Active", "check-circle", "success"),
    "past_due": Word("Past due", "exclamation-triangle", "warning"),
    "paused": Word("Paused", "pause-circle", "secondary"),
    "suspended": Word("Suspended", "x-octagon", "danger"),
    "cancelling": Word("Ends soon", "box-arrow-right", "warning"),
    "cancelled": Word("Terminated", "slash-circle", "secondary"),
    "expired": Word("Term over", "calendar-check", "secondary"),
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
DELIVERY = {
    "accepted": Word("Taken by the channel", "send-check", "info"),
    "refused": Word("Refused", "x-circle", "danger"),
    "away": Word("No answer", "question-diamond", "warning"),
    "delivered": Word("Delivered", "check-circle", "success"),
    "failed": Word("Not delivered", "x-circle", "danger"),
}
TICKET = {
    "open": Word("New", "inbox", "info"),
    "in_progress": Word("In work", "person-check", "warning"),
    "waiting_customer": Word("Waiting for the customer", "hourglass-split", "secondary"),
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
BULK_JOB = {
    "awaiting_approval": Word("Waits for a second person", "people", "warning"),
    "queued": Word("Waiting to begin", "hourglass-split", "info"),
    "running": Word("In progress", "arrow-repeat", "info"),
    "done": Word("Through", "check-circle", "success"),
    "cancelled": Word("Stopped", "stop-circle", "secondary"),
}
BULK_ROW = {
    "waiting": Word("Waiting", "hourglass-split", "info"),
    "done": Word("Done", "check-circle", "success"),
    "refused": Word("Not possible", "x-circle", "danger"),
    "cancelled": Word("Left as it is", "slash-circle", "secondary"),
}
RUN = {
    "running": Word("In progress", "arrow-repeat", "info"),
    "paused": Word("Held by staff", "pause-circle", "warning"),
    "done": Word("Through", "check-circle", "success"),
}
RECOVERY = {
    "monitoring": Word("Waiting for somebody", "eye", "warning"),
    "scheduled": Word("Retry planned", "calendar-event", "info"),
    "processing": Word("In progress", "arrow-repeat", "info"),
    "recovered": Word("Recovered", "check-circle", "success"),
    "partly_recovered": Word("Partly recovered", "pie-chart", "success"),
    "exhausted": Word("All tries used", "x-octagon", "danger"),
    "ended": Word("Not pursued", "slash-circle", "secondary"),
}
RECOVERY_POLICY = {
    "draft": Word("Draft", "pencil", "info"),
    "active": Word("In force", "check-circle", "success"),
    "retired": Word("Retired", "archive", "secondary"),
}
TABLES = {
    "recovery_policy": RECOVERY_POLICY,
    "recovery": RECOVERY,
    "billing_run": RUN,
    "approval": APPROVAL,
    "bulk_job": BULK_JOB,
    "bulk_row": BULK_ROW,
    "export": EXPORT,
    "checkout": CHECKOUT,
    "cash_receipt": RECEIPT,
    "gateway_event": EVENT,
    "payment": PAYMENT,
    "attempt": ATTEMPT,
    "refund": REFUND,
    "subscription": SUBSCRIPTION,
    "payment_method": METHOD,
    "notice": NOTICE,
    "notice_delivery": DELIVERY,
    "ticket": TICKET,
    "unmatched_money": UNMATCHED,
    "staff_account": ACCOUNT,
    "gateway_circuit": CIRCUIT,
    "order_leg": LEG,
    "point_reservation": POINT_RESERVATION,
    "point_adjustment": POINT_ADJUSTMENT,
    "ticket_priority": TICKET_PRIORITY,
}

METHOD_KIND = {
    "card": "Card",
    "transfer": "Bank transfer",
    "easy_pay": "Easy pay",
    "mobile": "Mobile phone",
    "virtual_account": "Virtual account",
}
SUBJECT = {
    "approval": "Request for a second person",
    "money_policy": "Limits and the time to undo",
    "recovery": "Recovery",
    "recovery_policy": "Recovery policy",
    "advance_notice": "Announcement of a charge",
    "billing_run": "Billing run",
    "bulk_job": "Bulk job",
    "bulk_row": "Row of a bulk job",
    "export": "Export",
    "checkout": "Payment link",
    "cash_receipt": "Cash receipt",
    "payment": "Payment",
    "sign_in": "Sign-in of a shopper",
    "attempt": "Attempt",
    "refund": "Refund",
    "subscription": "Subscription",
    "subscription_block": "Pause or stop of a subscription",
    "subscription_change": "Change of a subscription",
    "order": "Order",
    "order_leg": "Part of an order",
    "saved_view": "Saved view",
    "seller": "Seller",
    "payment_method": "Payment method",
    "notice": "Notice",
    "notice_delivery": "Try at a channel",
    "notice_template": "Notice text",
    "ticket": "Ticket",
    "ticket_message": "Message from customer service",
    "ticket_macro": "Macro",
    "unmatched_money": "Unmatched money",
    "staff_account": "Staff account",
    "api_key": "API key",
    "shop_endpoint": "Address for webhooks",
    "shop_delivery": "Webhook to the shop",
    "point_account": "Points",
    "point_lot": "Points",
    "point_reservation": "Points set aside",
    "point_adjustment": "Adjustment of points",
    "customer": "Customer",
    "consent": "Agreement",
    "terms": "Terms",
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
    "awaiting_approval": "The amount is reserved. It goes on when a second person agrees.",
    "held": "The amount is reserved, and the gateway knows nothing yet.",
    "withdrawn": "It was taken back before anything was sent. No money moved.",
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
    "my_page_link": "Sign-in link to my page",
    "refund_account_asked": "Bank account asked for",
    "payment_failed": "Payment failed",
    "payment_method_unusable": "Payment method cannot be used",
    "payment_method_deleted": "Payment method deleted at the gateway",
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
    "gateway_trouble_apology": "Apology for a fault of the gateway",
    "recovery_reminder": "Payment failed, tried again",
    "recovery_last_warning": "Last warning before suspension",
    "subscription_paused": "Subscription paused",
    "subscription_resumed": "Subscription resumed",
    "subscription_cancelled": "Subscription cancelled",
    "subscription_ending": "Subscription about to end",
    "charged_after_cancel_refunded": "Charge after cancelling refunded",
    "ticket_message": "Message from customer service",
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
CHANNEL = {
    "email": "E-mail",
    "sms": "Text message",
    "fcm": "App push",
    "webpush": "Browser push",
}
WORK = {
    "attempts": "Charges and inquiries",
    "refunds": "Refunds",
    "gateway_events": "Gateways' notices",
    "cash_receipts": "Cash receipts",
    "payment_methods": "Card registrations",
    "notices": "Notices",
    "bulk_jobs": "Bulk jobs",
    "exports": "Exports",
    "shop_deliveries": "Webhooks to the shop",
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
