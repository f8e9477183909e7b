"""Reading: one line of a file of contracts becomes a Contract, or is refused with its column."""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from opsapp.catalog.planning import NewPlan
from opsapp.customers.registering import NewCustomer
from opsapp.customers.states import KINDS
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import parse_money
from opsapp.subscriptions import rules

COLUMNS = (
    "customer_ref",
    "email",
    "phone",
    "locale",
    "plan_code",
    "plan_name",
    "interval",
    "interval_count",
    "amount",
    "currency",
    "method",
    "method_expires",
    "anchor_day",
    "started_on",
    "contract",
    "terms_version",
    "consented_on",
    "status",
    "cancelled_on",
)
OPTIONAL_COLUMNS = ("name",)  # without it the customer is called by their customer_ref

_YEARS = range(2000, 2100)
_WORD = re.compile(r"[A-Za-z0-9._-]{0,32}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Contract:
    """A subscription that was billed elsewhere until now."""

    customer: NewCustomer
    plan: NewPlan
    method: str
    method_expires_on: date | None
    anchor_day: int
    started_on: date
    contract: str
    terms_version: str
    consented_on: date | None
    cancelled_on: date | None  # None: it goes on here

    @property
    def import_ref(self) -> str:
        return f"{self.customer.customer_ref}|{self.plan.code}"

    @property
    def auth_key(self) -> str:
        """What the gateway knows the agreed method by: it was handed over with the contract."""
        return f"{self.method}.import-{self.customer.customer_ref}-{self.plan.code}"


def read_contract(fields: Mapping[str, str]) -> Contract:
    """Raises Invalid naming the column, the reason and what is expected instead."""
    plan = NewPlan(
        code=fields["plan_code"],
        name=fields["plan_name"],
        amount=parse_money(fields["amount"], fields["currency"]),
        interval=fields["interval"],
        interval_count=_number(fields, "interval_count"),
    )
    ref = fields["customer_ref"]
    customer = NewCustomer(
        customer_ref=ref,
        name=fields.get("name") or ref,
        email=fields["email"],
        phone=fields["phone"],
        locale=fields["locale"],
    )
    contract = Contract(
        customer=customer,
        plan=plan,
        method=_one_of(fields, "method", KINDS),
        method_expires_on=_last_of_month(fields, "method_expires"),
        anchor_day=_number(fields, "anchor_day"),
        started_on=_required_day(fields, "started_on"),
        contract=_word(fields, "contract"),
        terms_version=_word(fields, "terms_version"),
        consented_on=_day(fields, "consented_on"),
        cancelled_on=_cancelled_on(fields),
    )
    _check_together(contract)
    return contract


def _check_together(contract: Contract) -> None:
    started_on, anchor_day = contract.started_on, contract.anchor_day
    if not 1 <= anchor_day <= 31:
        raise Invalid(field="anchor_day", reason="must be between 1 and 31.")
    is_monthly = contract.plan.interval == "month"
    expected = rules.on_anchor_day(started_on.year, started_on.month, anchor_day)
    if is_monthly and started_on != expected:
        raise Invalid(
            field="started_on", reason=f"does not fall on anchor_day {anchor_day}: {expected} does."
        )
    if contract.cancelled_on is not None and contract.cancelled_on < started_on:
        raise Invalid(field="cancelled_on", reason=f"lies before the start, {started_on}.")
    if contract.method_expires_on is not None and contract.method != "card":
        raise Invalid(field="method_expires", reason="is for cards only: leave it empty.")


def _cancelled_on(fields: Mapping[str, str]) -> date | None:
    status = _one_of(fields, "status", ("active", "cancelled"))
    if status == "cancelled":
        return _required_day(fields, "cancelled_on")
    if fields["cancelled_on"]:
        raise Invalid(field="cancelled_on", reason="must be empty for an active contract.")
    return None


def _one_of(fields: Mapping[str, str], field: str, known: tuple[str, ...]) -> str:
    value = fields[field]
    if value not in known:
        raise Invalid(field=field, reason=f"{value[:20]!r} is not one of {', '.join(known)}.")
    return value


def _number(fields: Mapping[str, str], field: str) -> int:
    value = fields[field]
    if not _NUMBER.fullmatch(value):
        raise Invalid(field=field, reason=f"{value[:20]!r} is not a whole number.")
    return int(value)


def _word(fields: Mapping[str, str], field: str) -> str:
    value = fields[field]
    if not _WORD.fullmatch(value):
        reason = "must be at most 32 letters, digits and . _ - only."
        raise Invalid(field=field, reason=reason)
    return value


def _required_day(fields: Mapping[str, str], field: str) -> date:
    day = _day(fields, field)
    if day is None:
        raise Invalid(field=field, reason="must not be empty: write a date as 2026-03-31.")
    return day


def _day(fields: Mapping[str, str], field: str) -> date | None:
    value = fields[field]
    if not value:
        return None
    wrong = Invalid(field=field, reason=f"{value[:20]!r} is not a date such as 2026-03-31.")
    if not _DATE.fullmatch(value):
        raise wrong
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise wrong from None
    if day.year not in _YEARS:
        raise Invalid(field=field, reason=f"{value} is not in {_YEARS.start}-{_YEARS.stop - 1}.")
    return day


def _last_of_month(fields: Mapping[str, str], field: str) -> date | None:
    """A card is good until the last day of the month printed on it."""
    value = fields[field]
    if not value:
        return None
    found = _MONTH.fullmatch(value)
    year, month = (int(found[1]), int(found[2])) if found else (0, 0)
    if year not in _YEARS or not 1 <= month <= 12:
        raise Invalid(field=field, reason=f"{value[:20]!r} is not a month such as 2028-09.")
    return date(year, month, calendar.monthrange(year, month)[1])
