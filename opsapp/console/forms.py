"""What forms and query strings may hold. An unreadable filter is named, never ignored."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp, ValidationError

from opsapp.console import desk_words, words
from opsapp.insights import reading_wishes
from opsapp.insights.reading_wishes import YEARS
from opsapp.kernel.errors import Invalid
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.money import Money, parse_money

CONSOLE = "/console/"
QUERY_LENGTH_MAX = 2000
# Values alone: templates give them their words.
FULL_OR_PARTIAL: list[Any] = ["full", "partial"]
REASONS: list[Any] = ["", *words.REFUND_REASONS]
ROLES: list[Any] = list(words.ROLE)
METHOD_KINDS: list[Any] = list(words.METHOD_KIND)
GATEWAYS: list[Any] = list(words.GATEWAY)
BANKS: list[Any] = ["", *desk_words.REFUND_BANKS]
DECISIONS: list[Any] = list(desk_words.DECISION)


def bare(amount: str | None) -> str:
    """ "12,000원" and "₩12,000" are amounts as people write them."""
    return (amount or "").strip().removeprefix("₩").removesuffix("원").strip()


class SignInForm(FlaskForm):
    email = StringField(validators=[InputRequired(), Length(max=200)])
    password = PasswordField(validators=[InputRequired(), Length(max=128)])


class RefundForm(FlaskForm):
    """`seen` is the refundable amount that the screen showed, `request_id` came with the form."""

    kind = RadioField(choices=FULL_OR_PARTIAL, default="full")
    amount = StringField(filters=[bare], validators=[Length(max=30)])
    reason_code = SelectField(
        choices=REASONS,
        validators=[InputRequired(message="Choose a reason.")],
    )
    reason_text = TextAreaField(validators=[Length(max=150, message="At most 150 characters.")])
    request_id = HiddenField(validators=[InputRequired(), Regexp(r"^[A-Za-z0-9_-]{16,64}\Z")])
    seen = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,18}\Z")])
    currency = HiddenField(validators=[InputRequired(), Regexp(r"^[A-Z]{3}\Z")])

    def validate_amount(self, field: StringField) -> None:
        if self.kind.data == "full":
            return
        try:
            wished = parse_money(field.data or "", self.currency.data or "KRW")
        except Invalid as error:
            raise ValidationError(_("Enter the amount in digits, for example 12,000.")) from error
        if wished.minor > int(self.seen.data or 0):
            raise ValidationError(_("This is more than can still be refunded."))

    def validate_reason_text(self, field: TextAreaField) -> None:
        if self.reason_code.data == "other" and not (field.data or "").strip():
            raise ValidationError(_("Describe the reason."))

    @property
    def wished(self) -> Money:
        """Only after validation."""
        if self.kind.data == "full":
            return Money(int(self.seen.data or 0), self.currency.data or "KRW")
        return parse_money(self.amount.data or "", self.currency.data or "KRW")

    @property
    def reason(self) -> str:
        """As it goes to the gateway and to the customer's statement."""
        label = _(words.REFUND_REASONS.get(self.reason_code.data or "", ""))
        text = (self.reason_text.data or "").strip()
        if self.reason_code.data == "other":
            return text
        return f"{label}: {text}" if text else label


class AccountForm(FlaskForm):
    """What a customer said on the telephone; the room reads and checks it."""

    bank = SelectField(
        choices=BANKS, validators=[InputRequired(message="Choose a bank.")], default=""
    )
    number = StringField(
        validators=[DataRequired(message="Enter the account number, 1 to 20 digits.")]
    )
    holder = StringField(
        validators=[DataRequired(message="Enter the account holder, at most 60 characters.")]
    )


class ReturnForm(FlaskForm):
    """`seen` is the amount of the case that the screen showed."""

    reason = StringField(
        validators=[
            DataRequired(message="Say why; it is sent to the gateway as written."),
            Length(max=150, message="At most 150 characters."),
        ]
    )
    request_id = HiddenField(validators=[InputRequired(), Regexp(r"^[A-Za-z0-9_-]{16,64}\Z")])
    seen = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,18}\Z")])


class DecisionForm(FlaskForm):
    """`seen` names the evidence that was on the screen; another one now is refused."""

    outcome = RadioField(
        choices=DECISIONS, validators=[InputRequired(message="Choose what was found.")]
    )
    evidence = StringField(
        validators=[
            DataRequired(message="Name at least one reference: a receipt, a mail, a call."),
            Length(max=500, message="At most 500 characters."),
        ]
    )
    reason = TextAreaField(
        validators=[
            DataRequired(message="Say why."),
            Length(max=500, message="At most 500 characters."),
        ]
    )
    gateway_key = StringField(validators=[Length(max=200)])
    request_id = HiddenField(validators=[InputRequired(), Regexp(r"^[A-Za-z0-9_-]{16,64}\Z")])
    seen = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-f]{64}\Z")])


class NoteForm(FlaskForm):
    note = TextAreaField(
        validators=[
            DataRequired(message="Write what was done."),
            Length(max=400, message="At most 400 characters."),
        ]
    )


class RouteForm(FlaskForm):
    """Amounts as people write them; an empty end is no end. The room checks what fits together."""

    method_kind = SelectField(choices=METHOD_KINDS)
    gateway_name = SelectField(choices=GATEWAYS)
    currency = StringField(
        default="KRW",
        validators=[Regexp(r"^[A-Z]{3}\Z", message="Enter a currency, for example KRW.")],
    )
    amount_from = StringField(filters=[bare], validators=[Length(max=30)])
    amount_to = StringField(filters=[bare], validators=[Length(max=30)])

    def validate_amount_from(self, field: StringField) -> None:
        self._minor(field)

    def validate_amount_to(self, field: StringField) -> None:
        self._minor(field)

    @property
    def ends(self) -> tuple[int, int | None]:
        """Minor units; only after validation."""
        return self._minor(self.amount_from) or 0, self._minor(self.amount_to)

    def _minor(self, field: StringField) -> int | None:
        if not field.data:
            return None
        try:
            return parse_money(field.data, self.currency.data or "KRW").minor
        except Invalid as error:
            raise ValidationError(_("Enter the amount in digits, for example 12,000.")) from error


class NewAccountForm(FlaskForm):
    email = StringField(validators=[InputRequired(message="Enter an e-mail."), Length(max=200)])
    name = StringField(validators=[DataRequired(message="Enter a name."), Length(max=100)])
    role = SelectField(choices=ROLES)
    password = PasswordField(validators=[InputRequired(message="Enter a password.")])


def text(name: str, args: MultiDict[str, str] | None = None) -> str:
    """A query argument; PostgreSQL cannot hold NUL, so it is dropped."""
    return reading_wishes.plain(args or request.args, name)


def choice(name: str, allowed: Mapping[str, Any] | tuple[str, ...], default: str) -> str:
    """Raises Invalid naming the argument and what it may be."""
    return reading_wishes.choice(request.args, name, allowed, default)


def day(name: str, args: MultiDict[str, str] | None = None) -> date | None:
    """Raises Invalid."""
    return reading_wishes.day(args or request.args, name)


def month(name: str) -> date | None:
    """The first day of a month like 2026-11. Raises Invalid."""
    value = text(name)
    if not value:
        return None
    try:
        found = date.fromisoformat(f"{value}-01") if len(value) == len("2026-11") else None
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        reason = _("{value} is not a month like 2026-11.", value=value[:50])
        raise Invalid(field=name, reason=reason)
    return found


def month_beside(first: date, step: int) -> date:
    """The month before or after."""
    year, month0 = divmod(first.year * 12 + first.month - 1 + step, 12)
    return date(year, month0 + 1, 1)


def whole_number(name: str, args: MultiDict[str, str] | None = None) -> int | None:
    """Raises Invalid. Separators are taken as people write them."""
    return reading_wishes.whole_number(args or request.args, name)


def safe_next(wanted: str, default: str) -> str:
    """Only an address of this console is gone back to."""
    is_ours = wanted.startswith(CONSOLE) and "\\" not in wanted and wanted.isprintable()
    return wanted if is_ours else default
