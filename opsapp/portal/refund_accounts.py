"""Where a deposit goes back to: the customer names the bank account, once."""

from typing import Any

from flask import Blueprint, render_template, request
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from opsapp.gateways.values import BankAccount
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.payments import asking_accounts
from opsapp.portal import frame
from opsapp.portal.frame import public

routes = Blueprint("portal_refund_accounts", __name__, url_prefix="/my/refund-account")

Answer = str | tuple[str, int]

BANKS: list[Any] = ["", *sorted(asking_accounts.BANKS)]
NO_BANK = "Choose a bank."
NO_NUMBER = "Enter the account number, 1 to 20 digits."
NO_HOLDER = "Enter the account holder, at most 60 characters."


class RefundAccountForm(FlaskForm):
    bank = SelectField(choices=BANKS, validators=[InputRequired(NO_BANK)])
    number = StringField(validators=[DataRequired(NO_NUMBER), Length(max=40, message=NO_NUMBER)])
    holder = StringField(validators=[DataRequired(NO_HOLDER), Length(max=60, message=NO_HOLDER)])

    @property
    def account(self) -> BankAccount:
        """Raises Invalid."""
        return asking_accounts.read_account(
            bank=self.bank.data or "",
            number=self.number.data or "",
            holder=self.holder.data or "",
        )


@routes.get("/<token>")
@public
def show(token: str) -> Answer:
    return _page(token, RefundAccountForm(formdata=None))


@routes.post("/<token>")
@public
def give(token: str) -> Answer:
    """Once: afterwards the link opens nothing."""
    form = RefundAccountForm()
    if not form.validate_on_submit():
        return _page(token, form, status=422)
    try:
        question = _open(token)
        with transaction():
            asking_accounts.give_account(token, form.account)
    except Invalid as error:
        form[error.field or "number"].errors = [str(error.values["reason"])]
        return _page(token, form, status=422)
    except OpsError as error:
        return frame.refused(error)
    return render_template("portal/refund_accounts/done.html", question=question)


def _page(token: str, form: RefundAccountForm, *, status: int = 200) -> Answer:
    try:
        question = _open(token)
    except OpsError as error:
        return frame.refused(error)
    page = render_template("portal/refund_accounts/page.html", question=question, form=form)
    return page, status


def _open(token: str) -> asking_accounts.AccountQuestion:
    question = asking_accounts.open_question(token, address=request.remote_addr or "")
    frame.speak(question.locale)
    return question
