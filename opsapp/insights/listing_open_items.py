"""Open items of the books: what every clearing account holds, and since when it is on its way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from opsapp.kernel.db import db
from opsapp.kernel.money import Money
from opsapp.ledger.models import LedgerTransfer
from opsapp.ledger.rules import (
    POINTS_RESERVED,
    REFUNDS_IN_TRANSIT,
    UNMATCHED,
    gateway_clearing,
    seller_payable,
)
from opsapp.payments.models import Refund, UnmatchedMoney
from opsapp.payments.states import REFUND_ENDED, UnmatchedStatus
from opsapp.points.models import PointReservation
from opsapp.points.states import ReservationStatus

# Zero when nothing is on its way.
CLEARING = (REFUNDS_IN_TRANSIT, UNMATCHED, POINTS_RESERVED)
# At zero only when everything is paid out.
PAID_OUT = (gateway_clearing(""), seller_payable(""))


@dataclass(frozen=True, slots=True)
class OpenItem:
    """`balance` is debits less credits. `count` open facts make it up, the oldest `since`.

    Of what is waiting to be paid out nothing is counted: it is open since its first transfer.
    """

    account: str
    balance: Money
    count: int | None
    since: datetime | None


def list_open_items() -> list[OpenItem]:
    """Every clearing account that holds something or is waited for; one statement."""
    held, facts = _balances().subquery(), _facts().subquery()
    same = (held.c.account == facts.c.account) & (held.c.currency == facts.c.currency)
    minor = func.coalesce(held.c.minor, 0)
    found = (
        select(
            func.coalesce(held.c.account, facts.c.account).label("account"),
            func.coalesce(held.c.currency, facts.c.currency).label("currency"),
            minor.label("minor"),
            facts.c.facts,
            func.coalesce(facts.c.since, held.c.since).label("since"),
        )
        .select_from(held.outerjoin(facts, same, full=True))
        .where(or_(minor != 0, facts.c.facts > 0))
        .order_by("account", "currency")
    )
    return [
        OpenItem(row.account, Money(int(row.minor), row.currency), row.facts, row.since)
        for row in db.session.execute(found)
    ]


def _balances() -> Select[*tuple[Any, ...]]:
    minor, currency = LedgerTransfer.amount_minor, LedgerTransfer.currency
    debit, credit = LedgerTransfer.debit_account, LedgerTransfer.credit_account
    sides = union_all(
        *(
            select(
                account.label("account"), currency, signed.label("minor"), LedgerTransfer.at
            ).where(_is_clearing(account))
            for account, signed in ((debit, minor), (credit, -minor))
        )
    ).subquery()
    account = sides.c.account
    # A clearing account's own facts tell its age; what is paid out has none of its own.
    since = case((_is_paid_out(account), func.min(sides.c.at)), else_=null())
    return select(
        account,
        sides.c.currency,
        func.sum(sides.c.minor).label("minor"),
        cast(since, DateTime(timezone=True)).label("since"),
    ).group_by(account, sides.c.currency)


def _is_clearing(account: Any) -> ColumnElement[bool]:
    return or_(account.in_(CLEARING), _is_paid_out(account))


def _is_paid_out(account: Any) -> ColumnElement[bool]:
    return or_(*(account.startswith(prefix, autoescape=True) for prefix in PAID_OUT))


def _facts() -> Any:
    """What each clearing account is waiting for."""
    over = [status.value for status in REFUND_ENDED]
    refunds = _counted(
        REFUNDS_IN_TRANSIT,
        Refund.currency,
        Refund.requested_at,
        Refund.status.not_in(over),
        Refund.unmatched_id.is_(None),
    )
    settled = (UnmatchedStatus.OPEN.value, UnmatchedStatus.RETURNING.value)
    unmatched = _counted(
        UNMATCHED,
        UnmatchedMoney.currency,
        UnmatchedMoney.opened_at,
        UnmatchedMoney.status.in_(settled),
    )
    reserved = _counted(
        POINTS_RESERVED,
        literal("KRW"),
        PointReservation.created_at,
        PointReservation.status == ReservationStatus.RESERVED.value,
    )
    return union_all(refunds, unmatched, reserved)


def _counted(account: str, currency: Any, at: Any, *conditions: Any) -> Select[Any]:
    statement: Select[Any] = (
        select(
            literal(account).label("account"),
            currency.label("currency"),
            func.count().label("facts"),
            func.min(at).label("since"),
        )
        .where(*conditions)
        .group_by(currency)
    )
    return statement
