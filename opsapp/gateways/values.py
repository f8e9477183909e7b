"""What goes to a gateway and what comes back, as plain values: no ORM object crosses this line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from opsapp.kernel.money import Money

METHOD_KINDS = ("card", "transfer", "easy_pay", "mobile", "virtual_account")


class Outcome(StrEnum):
    APPROVED = "approved"
    PENDING = "pending"  # a definite in-between: the customer has to pay in
    PREPARED = "prepared"  # the gateway has named the payment; no money can have moved yet
    DECLINED = "declined"  # definitely no money moved, by a code of the failure table
    CONFLICT = "conflict"  # already paid, duplicate order: only an inquiry decides
    MISCONFIGURED = "misconfigured"  # our key, contract or request is wrong; nothing moved
    NOT_FOUND = "not_found"  # inquiry: the gateway does not know this order
    IN_PROGRESS = "in_progress"  # inquiry: known there and not decided; nothing is over
    NOT_SENT = "not_sent"  # nothing left the building, or the gateway turned it away unread
    UNKNOWN = "unknown"  # anything else: money may or may not have moved


class FailureClass(StrEnum):
    """The seven classes of the failure table; only the customer's own count against them."""

    AUTHENTICATION = "authentication_failure"
    EXPIRED = "expired_or_suspended"
    GATEWAY = "gateway_error"
    FRAUD = "fraud_suspected"
    CUSTOMER_CANCELLED = "customer_cancelled"
    CONFIGURATION = "configuration_error"
    CONFLICT = "state_conflict"


class Flow(StrEnum):
    """How an attempt asks for its money."""

    BILLING = "billing"  # with a stored billing key, nobody is present
    ACCOUNT = "account"  # a virtual account is issued, and the customer pays in
    WINDOW = "window"  # the customer agrees at the gateway's own page


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a company promises. Callers ask here and never for its name.

    Every value has its source in the adapter's docstring.
    """

    window_methods: frozenset[str]  # kinds payable at the gateway's own page
    billing_methods: frozenset[str]  # kinds that a billing key can be registered for
    issues_accounts: bool
    currencies: frozenset[str]
    # (method kind, currency) -> least amount in minor units; what is not named has none.
    minimum_minor: Mapping[tuple[str, str], int]
    partial_refunds: frozenset[str]  # kinds that can be given back in part
    same_month_refunds: frozenset[str]  # kinds given back only in the month they were paid in
    account_refunds: frozenset[str]  # kinds whose refund needs the customer's bank account
    cash_receipts: frozenset[str]  # kinds for which it issues cash receipts
    # How long an idempotency key is honoured, less a reserve; None: not at all.
    replay_window: timedelta | None
    replays_errors: bool  # an error answer is stored under the key too
    inquires_by_order_id: bool  # else only by the name that the gateway gave the payment
    # Only without a key: "not found" counts when it has passed since the last request.
    quarantine: timedelta | None
    confirms_on_return: bool  # money moves at our confirm, never inside the window
    refund_lock: bool  # refuses a refund when it holds another refundable amount than we say
    signs_webhooks: bool
    account_life_max: timedelta  # longest time that a virtual account may wait
    # Kinds that a customer registers at the gateway's own page.
    registration_methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BankAccount:
    """Where a deposit is given back to. Personal data: kept sealed, never logged."""

    bank: str  # two-digit bank code of the Korean clearing house
    number: str
    holder: str


@dataclass(frozen=True, slots=True)
class ChargeBody:
    """`gateway_key` is the gateway's own name for the payment, known after its window only."""

    flow: Flow
    method_kind: str
    gateway_order_id: str
    title: str
    amount: Money
    customer_key: str = field(repr=False)
    customer_name: str
    gateway_key: str | None = None
    bank: str | None = None  # of a virtual account
    account_life: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """`body` is the stored bytes of the attempt: a replay sends the very same ones.

    `call_before` is monotonic: nothing is sent later, because the lease might not outlive it.
    """

    flow: Flow
    gateway_order_id: str
    idempotency_key: str
    body: bytes = field(repr=False)
    billing_key: str | None = field(repr=False)
    gateway_key: str | None
    call_before: float


@dataclass(frozen=True, slots=True)
class Inquiry:
    """By our own number, and by the gateway's name for the payment as far as we know it."""

    gateway_order_id: str
    gateway_key: str | None
    flow: Flow


@dataclass(frozen=True, slots=True)
class RefundRequest:
    gateway_key: str
    idempotency_key: str
    amount: Money
    refundable_before: Money  # the gateway refuses if it holds another figure
    reason: str
    call_before: float  # monotonic, as in ChargeRequest
    account: BankAccount | None = None


@dataclass(frozen=True, slots=True)
class AccountClosing:
    """Before a deposit: afterwards the gateway answers with a conflict."""

    gateway_key: str
    gateway_order_id: str
    idempotency_key: str
    reason: str


@dataclass(frozen=True, slots=True)
class BillingKeyRequest:
    customer_key: str = field(repr=False)
    auth_key: str = field(repr=False)
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class BillingKeyDeletion:
    billing_key: str = field(repr=False)
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class RegistrationRequest:
    """The customer registers a method at the gateway's page and comes back with an auth key.

    No name goes along: the page asks for what it needs.
    """

    method_kind: str
    customer_key: str = field(repr=False)
    success_url: str
    fail_url: str
    locale: str


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """The customer is sent to the gateway's page and comes back to one of the two addresses."""

    method_kind: str
    gateway_order_id: str
    title: str
    amount: Money
    customer_key: str = field(repr=False)
    customer_name: str
    customer_email: str
    idempotency_key: str
    success_url: str
    fail_url: str
    locale: str


@dataclass(frozen=True, slots=True)
class CashReceiptRequest:
    """현금영수증. `registration` is a phone or business number: personal data."""

    gateway_order_id: str
    title: str
    kind: str  # income_deduction (소득공제) | expense_proof (지출증빙)
    registration: str
    amount: Money
    tax_free: Money
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class CashReceiptCancel:
    receipt_key: str
    amount: Money
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class BillingKey:
    billing_key: str = field(repr=False)
    label: str
    first6: str | None
    last4: str | None
    expires_on: date | None = None  # last day of the card's month, where the gateway tells it


@dataclass(frozen=True, slots=True)
class Account:
    """A virtual account to pay into until `due_at`."""

    bank: str
    number: str
    due_at: datetime
    secret: str | None
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Window:
    """How the customer gets to the gateway's page: by address, or by the vendor's script."""

    redirect_url: str | None = None
    script_url: str | None = None
    vendor: str = ""  # which branch of static/js/pay.js starts the script
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CashReceipt:
    receipt_key: str
    status: str  # in_progress | issued | failed | cancelled
    issue_number: str | None = None
    receipt_url: str | None = None
    failure_code: str | None = None


@dataclass(slots=True)
class Answer:
    """One answer, understood. `code` is the gateway's own, `because` a plain sentence.

    Its adapter completes it; from then on nobody changes it. Not frozen: thousands are made and
    completed in a run, and a copy of so many fields costs more than reading the answer.
    """

    outcome: Outcome
    because: str = ""
    gateway_key: str | None = None
    amount: Money | None = None
    refunded: Money | None = None  # what the gateway has given back so far
    deposited: Money | None = None  # virtual account: all that has arrived on it so far
    deposit_key: str | None = None  # the gateway's name for the latest deposit
    depositor: str | None = None
    code: str | None = None
    unmapped_source: str | None = None  # `code` is not in the failure table of this source
    failure_class: str | None = None
    retry_mode: str | None = None
    method_kind: str | None = None  # as the gateway says the customer paid
    # What a person may see of how it was paid: instalment_months, provider, issuer, number
    # (masked), card_minor, money_minor, points_minor.
    paid_with: Mapping[str, Any] | None = None
    approval_number: str | None = None
    receipt_url: str | None = None
    transaction_key: str | None = None  # of the cancel that an answer to a refund is about
    trace_id: str | None = None
    took_s: float = 0  # how long the gateway took, for its circuit
    account: Account | None = None
    billing_key: BillingKey | None = None
    window: Window | None = None
    cash_receipt: CashReceipt | None = None


@dataclass(frozen=True, slots=True)
class GatewayTransaction:
    """One approval (positive) or cancel (negative) in the gateway's own books."""

    gateway_order_id: str
    gateway_key: str
    transaction_key: str
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class SettledTransaction:
    """One row of a settlement: what the gateway pays us for an approval (or takes, negative)."""

    gateway_order_id: str
    gateway_key: str
    transaction_key: str
    method_kind: str
    amount: Money
    fee: Money
    vat: Money  # on the fee
    pay_out: Money
    sold_on: date
    paid_out_on: date


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """What a webhook says, believed by nobody: it is a reason to ask."""

    delivery_id: str
    event_type: str
    gateway_order_id: str | None
    gateway_key: str | None
    said_status: str | None
    is_signed: bool
    secret: str | None = None  # to be compared with the one of the account
    billing_key: str | None = None
    is_key_deleted: bool = False  # `billing_key` cannot be charged any more


# Nothing can be asked of a gateway without the key; the customer has to register another method.
METHOD_GONE = Answer(
    Outcome.DECLINED,
    "the payment method is gone",
    code="METHOD_GONE",
    failure_class=FailureClass.EXPIRED,
    retry_mode="none",
)


def as_log_fields(answer: Answer) -> dict[str, Any]:
    """What of an answer may stand in the log: codes and references, never keys or numbers."""
    return {
        name: value
        for name in ("code", "failure_class", "approval_number", "trace_id")
        if (value := getattr(answer, name)) is not None
    }
