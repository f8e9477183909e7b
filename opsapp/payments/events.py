"""Facts about payments, told in batches: one event carries all that one transaction settled."""

from dataclasses import dataclass

from opsapp.gateways.values import Account


@dataclass(frozen=True, slots=True)
class PaymentFact:
    payment_id: int
    subject_type: str
    subject_id: int
    period_index: int
    customer_id: int
    payment_method_id: int | None  # None: the customer paid once, without registering anything
    gateway_name: str
    method_kind: str
    amount_minor: int
    currency: str
    attempt_id: int
    attempt_number: int
    failure_class: str | None = None
    failure_code: str | None = None
    retry_mode: str | None = None  # of the failure table: later, after_fix, none, operator, ...
    account: Account | None = None  # where to pay in; kept in memory only
    is_by_staff: bool = False  # a person of ours ordered this attempt


@dataclass(frozen=True, slots=True)
class AnswersRecorded:
    """Told before PaymentsPaid and PaymentsFailed when one batch holds both: whoever locks rows
    for them takes all its locks here, in one order, or two batches meet crosswise.
    """

    paid: tuple[PaymentFact, ...]
    failed: tuple[PaymentFact, ...]


@dataclass(frozen=True, slots=True)
class PaymentsPaid:
    payments: tuple[PaymentFact, ...]


@dataclass(frozen=True, slots=True)
class PaymentsFailed:
    """The attempt ended without money; whether another follows is for the listener to say."""

    payments: tuple[PaymentFact, ...]


@dataclass(frozen=True, slots=True)
class DepositsAwaited:
    """A virtual account was issued for each; the customer has to pay in."""

    payments: tuple[PaymentFact, ...]


@dataclass(frozen=True, slots=True)
class DepositsReversed:
    """The bank took back what had paid them: each waits for its deposit again."""

    payments: tuple[PaymentFact, ...]


@dataclass(frozen=True, slots=True)
class RefundFact:
    refund_id: int
    payment_id: int
    customer_id: int
    amount_minor: int
    currency: str
    unmatched_id: int | None = None  # set: it never was the payment's money


@dataclass(frozen=True, slots=True)
class RefundsMade:
    """The gateway has given the money back."""

    refunds: tuple[RefundFact, ...]


@dataclass(frozen=True, slots=True)
class RefundsReleased:
    """Nothing was given back after all: the amounts are the payments' again."""

    refunds: tuple[RefundFact, ...]


@dataclass(frozen=True, slots=True)
class RefundAccountsAsked:
    """The customer has to name a bank account, for the first time or again."""

    refunds: tuple[RefundFact, ...]


@dataclass(frozen=True, slots=True)
class UnmatchedFact:
    unmatched_id: int
    payment_id: int
    customer_id: int
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class MoneyUnmatched:
    """A gateway holds money that no payment wanted; a case was opened for each."""

    cases: tuple[UnmatchedFact, ...]
