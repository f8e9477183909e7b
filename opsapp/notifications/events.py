"""What this room tells, and, by shape, what it needs of the facts of rooms above: it cannot import
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NoticeFact:
    """`outcome`: accepted, refused, away (nobody knows), unreachable (no channel, no address)."""

    notice_id: int
    kind: str
    subject_type: str
    subject_id: int
    customer_id: int
    at: datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class NoticesAttempted:
    """Each was tried at one channel; whether another follows is for this room to see to."""

    notices: tuple[NoticeFact, ...]


class DepositAccount(Protocol):
    """A virtual account to pay into until `due_at`."""

    @property
    def bank(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...


class FactOfPayment(Protocol):
    @property
    def payment_id(self) -> int: ...
    @property
    def attempt_id(self) -> int: ...
    @property
    def subject_type(self) -> str: ...
    @property
    def customer_id(self) -> int: ...
    @property
    def payment_method_id(self) -> int | None: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def failure_class(self) -> str | None: ...
    @property
    def account(self) -> DepositAccount | None: ...


class FactOfRefund(Protocol):
    @property
    def refund_id(self) -> int: ...
    @property
    def customer_id(self) -> int: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...


class TellsOfPayments(Protocol):
    @property
    def payments(self) -> Sequence[FactOfPayment]: ...


class TellsOfRefunds(Protocol):
    @property
    def refunds(self) -> Sequence[FactOfRefund]: ...
