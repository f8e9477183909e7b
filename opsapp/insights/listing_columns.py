"""The columns of every list: what a cell holds and of which kind it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Masked wherever they are shown or exported, unless they were revealed to this very person.
PERSONAL = frozenset({"name", "phone", "email", "card", "account"})


@dataclass(frozen=True, slots=True)
class Column:
    """`label` is a key of the catalogue.

    `kind`: text, code, money, number, time, day, status, word, actor, reason, subject, name,
    phone, email, card, account. Money is in minor units of the row's `currency`. `table` names
    the words of a status (console.words.TABLES) or of a word (a table of console.words).
    """

    key: str
    label: str
    kind: str = "text"
    is_default: bool = True
    value: Callable[[Any], Any] | None = None
    table: str = ""

    def read(self, row: Any) -> Any:
        """What the cell holds, unmasked and without words; None for nothing."""
        return self.value(row) if self.value else getattr(row, self.key, None)

    @property
    def is_personal(self) -> bool:
        return self.kind in PERSONAL

    @property
    def is_figure(self) -> bool:
        return self.kind in ("money", "number")


def _charge_day(row: Any) -> Any:
    """Only what is charged by itself has a next charge."""
    return row.next_due_at if row.status in ("active", "past_due", "trialing") else None


def _minus(key: str) -> Callable[[Any], Any]:
    return lambda row: -getattr(row, key)


def _account_number(row: Any) -> Any:
    held = row.account
    return held.get("number") if isinstance(held, Mapping) else held


def _change(row: Any) -> str | None:
    return f"{row.from_state or '–'} → {row.to_state}" if row.to_state else None


_CUSTOMER = (
    Column("customer_name", "Customer", "name"),
    Column("customer_ref", "Customer no.", "code", is_default=False),
)

PAYMENTS = (
    Column("ref", "Payment no.", "code"),
    Column("requested_at", "Requested at", "time"),
    Column("paid_at", "Approved at", "time", is_default=False),
    *_CUSTOMER,
    Column("title", "Product"),
    Column("method_kind", "Method", "word", table="METHOD_KIND"),
    Column("amount_minor", "Amount", "money"),
    Column("refunded_minor", "Cancelled", "money", is_default=False),
    Column("status", "Status", "status", table="payment"),
    Column("gateway_name", "Gateway", "word", table="GATEWAY"),
    Column("subject_type", "Type", "word", is_default=False, table="PAID_FOR"),
    Column("failure_code", "Failure code", "code", is_default=False),
    Column("approval_number", "Approval no.", "code", is_default=False),
)
REFUNDS = (
    Column("ref", "Refund no.", "code"),
    Column("requested_at", "Requested at", "time"),
    Column("payment_ref", "Payment no.", "code", is_default=False),
    Column("title", "Product"),
    Column("amount_minor", "Amount", "money", value=_minus("amount_minor")),
    Column("status", "Status", "status", table="refund"),
    Column("reason", "Reason"),
    Column("requested_by", "Requested by", "actor", is_default=False),
    Column("failure_code", "Failure code", "code", is_default=False),
    Column("ended_at", "Ended", "time"),
)
ORDERS = (
    Column("order_ref", "Order no.", "code"),
    Column("placed_at", "Ordered", "time"),
    Column("name", "Customer", "name"),
    Column("title", "Product"),
    Column("amount_minor", "Amount", "money"),
    Column("points", "Points", "number", is_default=False),
    Column("state", "Status", "status", table="ORDER_STATE"),
    Column("method_kind", "Method", "word", table="METHOD_KIND"),
)
LINKS = (
    Column("ref", "Payment link", "code"),
    Column("opened_at", "Made", "time"),
    Column("name", "Customer", "name"),
    Column("title", "Product"),
    Column("amount_minor", "Amount", "money"),
    Column("status", "Status", "status", table="checkout"),
    Column("payment_status", "Payment", "status", table="payment"),
    Column("expires_at", "Pay by", "time"),
)
SUBSCRIPTIONS = (
    Column("ref", "Subscription no.", "code"),
    *_CUSTOMER,
    Column("plan_name", "Plan"),
    Column("amount_minor", "Amount", "money"),
    Column("next_due_at", "Next charge", "day", value=_charge_day),
    Column("next_period_index", "Period", "number", value=lambda row: row.next_period_index + 1),
    Column("last4", "Method", "card"),
    Column("expires_on", "Card expires", "day", is_default=False),
    Column("status", "Status", "status", table="subscription"),
    Column("failures_in_row", "Failures in a row", "number", is_default=False),
    Column("created_at", "Since", "time", is_default=False),
)
CUSTOMERS = (
    Column("customer_ref", "Customer no.", "code"),
    Column("name", "Name", "name"),
    Column("phone", "Phone", "phone"),
    Column("email", "E-mail", "email"),
    Column("created_at", "Since", "time"),
)
DEPOSITS = (
    Column("payment_ref", "Payment no.", "code"),
    Column("deposit_due_at", "pay in until", "time"),
    *_CUSTOMER,
    Column("title", "Product"),
    Column("account", "Virtual account", "account", value=_account_number),
    Column("gateway_name", "Gateway", "word", is_default=False, table="GATEWAY"),
    Column("amount_minor", "Amount", "money"),
    Column("deposited_minor", "paid in so far", "money", is_default=False),
)
CASES = (
    Column("ref", "Case", "code"),
    Column("opened_at", "Opened", "time"),
    Column("reason", "Reason", "word", table="DEPOSIT_REASON"),
    *_CUSTOMER,
    Column("title", "Product"),
    Column("payment_ref", "Payment no.", "code", is_default=False),
    Column("gateway_name", "Gateway", "word", is_default=False, table="GATEWAY"),
    Column("amount_minor", "Amount", "money"),
    Column("status", "Status", "status", table="unmatched_money"),
)
RECEIPTS = (
    Column("ref", "Payment no.", "code"),
    Column("asked_at", "Asked for", "time"),
    Column("title", "Product"),
    Column("kind", "Purpose", "word", table="RECEIPT_KIND"),
    Column("registration", "Number", "code"),
    Column("amount_minor", "Amount", "money"),
    Column("cancelled_minor", "Cancelled", "money", is_default=False),
    Column("status", "Status", "status", table="cash_receipt"),
    Column("issue_number", "Issue no.", "code", is_default=False),
    Column("gateway_name", "Gateway", "word", is_default=False, table="GATEWAY"),
)
UNCERTAIN = (
    Column("id", "What", "subject"),
    Column("since", "Since when", "time"),
    Column("title", "Product"),
    Column("amount_minor", "Amount", "money"),
    Column("customer_name", "Customer", "name"),
    Column("gateway_name", "Gateway", "word", table="GATEWAY"),
    Column("status", "Status", "status", table="attempt"),
    Column("last_said", "Last answer", "reason"),
    Column("due_at", "Next look", "time"),
)
NOTICES = (
    Column("kind", "Notice", "word", table="NOTICE_KIND"),
    *_CUSTOMER,
    Column("subject_id", "About", "subject"),
    Column("channel", "Channel", "word", table="CHANNEL"),
    Column("status", "Status", "status", table="notice"),
    Column("created_at", "Ordered", "time"),
    Column("sent_at", "Sent at", "time"),
)
EVENTS = (
    Column("id", "No.", "number"),
    Column("received_at", "Received at", "time"),
    Column("gateway_name", "Gateway", "word", table="GATEWAY"),
    Column("event_type", "Kind of notice", "code"),
    Column("payment_id", "About", "code"),
    Column("status", "Status", "status", table="gateway_event"),
    Column("finding", "What came of it", "word", table="FINDING"),
    Column("repeats", "Repeats", "number"),
    Column("delivery_id", "Delivery id", "code", is_default=False),
)
POINTS = (
    Column("customer_ref", "Customer no.", "code"),
    Column("name", "Name", "name"),
    Column("available", "Can be spent", "number", value=lambda row: row.available or 0),
    Column("reserved", "Set aside", "number", value=lambda row: row.reserved or 0),
)
ADJUSTMENTS = (
    Column("id", "No.", "number"),
    Column("requested_at", "Requested at", "time"),
    *_CUSTOMER,
    Column("points", "Points", "number"),
    Column("reason", "Reason"),
    Column("status", "Status", "status", table="point_adjustment"),
    Column("requested_by", "Requested by", "actor"),
    Column("decided_by", "Decided by", "actor", is_default=False),
)
LOG = (
    Column("id", "No.", "number"),
    Column("at", "Time", "time"),
    Column("actor", "Who", "actor"),
    Column("action", "What", "code"),
    Column("subject_id", "About", "subject"),
    Column("to_state", "Before → after", "code", value=_change),
    Column("because", "Reason", "reason"),
    Column("address", "Address", "code"),
    Column("request_id", "Request no.", "code", is_default=False),
)
CODES = (
    Column("code", "Code", "code"),
    Column("subclass", "Kind"),
    Column("failure_class", "Class", "word", is_default=False, table="FAILURE_SHORT"),
    Column("retry_mode", "Retry", "word", table="RETRY_MODE"),
    Column("outcome", "Outcome", "word", table="OUTCOME"),
    Column("hint_ko", "The customer reads"),
    Column("version", "Version", "number"),
)
TICKETS = (
    Column("id", "No.", "number"),
    Column("priority", "Priority", "status", table="ticket_priority"),
    Column("reason", "Reason", "word", table="TICKET_REASON"),
    *_CUSTOMER,
    Column("subject_id", "About", "subject"),
    Column("status", "Status", "status", table="ticket"),
    Column("answer_due_at", "Answer due", "time"),
    Column("assignee", "Assigned to"),
    Column("opened_at", "Opened", "time"),
    Column("resolved_at", "Done", "time", is_default=False),
)
