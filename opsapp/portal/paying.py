"""The page behind a payment link: choose how to pay, pay at the gateway, see what came of it.

The two addresses that a gateway sends the shopper back to are read by GET, as vendors redirect.
What they say is believed by nobody, and saying it twice changes nothing.
"""

from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for as address_of,
)
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse
from wtforms import RadioField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length

from opsapp.cash_receipts import asking
from opsapp.cash_receipts.errors import ReceiptNotOffered
from opsapp.cash_receipts.rules import METHOD_KINDS, Registration, read_registration
from opsapp.checkout import choosing, opening, returning, showing
from opsapp.checkout.errors import CheckoutOver, TooManyChoices
from opsapp.checkout.returning import Told
from opsapp.checkout.rules import MOVING_STAGES, OPEN_STAGES
from opsapp.checkout.showing import Picture
from opsapp.customers.linking import open_link
from opsapp.gateways.values import Window
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import current_locale
from opsapp.payments import explaining, presenting
from opsapp.payments.errors import AmountDiffers, NotRetryable, NoWindow, WindowAway, WindowOpen
from opsapp.portal import frame, paying_words as words, policies
from opsapp.portal.frame import public
from opsapp.routing.errors import NoRoute
from opsapp.settings import current

routes = Blueprint("portal_paying", __name__, url_prefix="/pay")

METHODS: list[Any] = list(words.METHOD)
BANKS: list[Any] = list(words.ACCOUNT_BANKS)
RECEIPTS: list[Any] = list(words.RECEIPT)
# After these the shopper may choose another way.
REFUSALS = (NoRoute, WindowOpen, WindowAway, NoWindow, ReceiptNotOffered, TooManyChoices)
# Seconds between two looks of the page while nothing is certain.
POLLS_S = (1, 2, 2, 3, 5, 8, 10)

# What a gateway's addresses tell: the names of our number, of its key and of the amount.
NAMED_BY: dict[str, tuple[str | None, str | None, str | None]] = {
    "toss": ("orderId", "paymentKey", "amount"),
    "portone": ("paymentId", None, None),
    "stripe": (None, "payment_intent", None),
}


class MethodForm(FlaskForm):
    method = RadioField(choices=METHODS, validators=[InputRequired("Choose how to pay.")])
    bank = SelectField(choices=BANKS, default=words.ACCOUNT_BANKS[0])
    receipt = RadioField(choices=RECEIPTS, default="none")
    receipt_number = StringField(validators=[Length(max=30, message=words.NO_NUMBER)])

    def validate_receipt_number(self, field: StringField) -> None:
        try:
            self.registration()
        except Invalid as error:
            raise ValidationError(str(error.values["reason"])) from error

    def registration(self) -> Registration | None:
        """Of the cash receipt, where one is wanted and this way to pay has one."""
        kind = self.receipt.data
        if kind in (None, "none") or self.method.data not in METHOD_KINDS:
            return None
        return read_registration(kind, self.receipt_number.data or "")


@routes.get("/<token>")
@public
def show(token: str) -> AnyResponse:
    picture = _open(token)
    if picture.stage not in OPEN_STAGES:
        return _to_result(token)
    return _page(token, picture, MethodForm(formdata=None), notice=_told_before(picture))


@routes.post("/<token>")
@public
def choose(token: str) -> AnyResponse:
    """A second click, another tab or the Back button chooses again, or finds it under way."""
    picture, form = _open(token), MethodForm()
    if not form.validate_on_submit():
        return _page(token, picture, form, status=422)
    try:
        _choose(picture, form)
        return _to_window(token, picture.checkout_id)
    except (NotRetryable, CheckoutOver):
        return _to_result(token)
    except REFUSALS as error:
        return _refused(token, picture.checkout_id, form, error)


@routes.get("/<token>/return/<gateway>")
@public
def come_back(token: str, gateway: str) -> AnyResponse:
    picture, told = _open(token), _told(gateway)
    if "code" in request.args:  # PortOne has one address for both ends
        return give_up(token, gateway)
    try:
        returning.come_back(picture.checkout_id, told, by=_by(picture))
    except (NoWindow, AmountDiffers) as error:
        return _refused(token, picture.checkout_id, MethodForm(formdata=None), error)
    return _to_result(token)


@routes.get("/<token>/fail/<gateway>")
@public
def give_up(token: str, gateway: str) -> AnyResponse:
    picture, told = _open(token), _told(gateway)
    with transaction():
        returning.give_up(picture.checkout_id, told, by=_by(picture))
    code = request.args.get("code", "left")[:60]
    return redirect(address_of(".show", token=token, left=code), 303)


@routes.get("/<token>/result")
@public
def show_result(token: str) -> AnyResponse:
    """Looks again by itself until the truth is known; with script in place, without it whole."""
    picture = _open(token)
    look = request.args.get("look", 0, type=int)
    template = "_state.html" if frame.is_fragment() else "result.html"
    values = _values(token, picture) | {
        "is_moving": picture.stage in MOVING_STAGES,
        "wait_s": POLLS_S[min(max(look, 0), len(POLLS_S) - 1)],
        "look": min(max(look, 0), len(POLLS_S)) + 1,
        "told": _explained(picture),
    }
    return _secured(render_template(f"portal/paying/{template}", **values), 200)


@routes.errorhandler(OpsError)
def refuse(error: OpsError) -> tuple[str, int]:
    return frame.refused(error)


def _choose(picture: Picture, form: MethodForm) -> None:
    by, receipt = _by(picture), form.registration()
    with transaction():
        payment_id = choosing.choose(
            picture.checkout_id,
            method_kind=form.method.data or "",
            bank=form.bank.data if form.method.data == "virtual_account" else None,
            by=by,
        )
        if receipt is not None:
            asking.ask(payment_id, receipt, by=by)
        else:
            asking.withdraw_wish(payment_id, by=by)


def _to_window(token: str, checkout_id: int) -> AnyResponse:
    """To the gateway's own page, to ours with its script, or to where the account will stand."""
    with transaction():
        picture = showing.picture(checkout_id)
    latest = picture.latest
    if latest is None or picture.payment_id is None or latest.status != "at_window":
        return _to_result(token)
    here = current().public_url
    back = {
        f"{end}_url": here + address_of(view, token=token, gateway=latest.gateway_name)
        for end, view in (("success", ".come_back"), ("fail", ".give_up"))
    }
    window = presenting.open_window(picture.payment_id, locale=current_locale.get(), **back)
    if window.redirect_url:
        return redirect(window.redirect_url, 303)
    return _script_page(token, picture, window)


def _script_page(token: str, picture: Picture, window: Window) -> Response:
    page = render_template(
        "portal/paying/window.html", **_values(token, picture) | {"window": window}
    )
    return policies.with_script_of(window, make_response(page))


def _open(token: str) -> Picture:
    """Raises LinkUnknown, the same whatever is wrong with it, and TooManyLinks."""
    link = open_link(token, purpose=opening.PURPOSE, address=request.remote_addr or "")
    with transaction():
        picture = showing.picture(link.subject_id)
    frame.speak(picture.locale)
    return picture


def _page(
    token: str, picture: Picture, form: MethodForm, *, notice: str = "", status: int = 200
) -> Response:
    with transaction():
        offers = showing.offers(picture.amount)
    values = _values(token, picture) | {"form": form, "offers": offers, "notice": notice}
    return _secured(render_template("portal/paying/page.html", **values), status)


def _refused(token: str, checkout_id: int, form: MethodForm, error: OpsError) -> AnyResponse:
    """The page again and why; what is under way or settled by now has a page of its own."""
    with transaction():
        picture = showing.picture(checkout_id)
    if picture.stage not in OPEN_STAGES:
        return _to_result(token)
    notice = words.REFUSED.get(error.code, error.message)
    return _page(token, picture, form, notice=notice, status=error.http_status)


def _told_before(picture: Picture) -> str:
    """What became of the last try, in the dictionary's words."""
    if told := _explained(picture):
        return str(told)
    if code := request.args.get("left"):
        gateway_name = picture.latest.gateway_name if picture.latest else None
        return _hint(code, gateway_name) or words.LEFT
    return ""


def _explained(picture: Picture) -> str | None:
    latest = picture.latest
    if picture.stage not in OPEN_STAGES or latest is None or latest.failure_code is None:
        return None
    return _hint(latest.failure_code, latest.gateway_name) or words.LEFT


def _hint(code: str, gateway_name: str | None) -> str:
    explaining.refresh()
    told = explaining.explain(code, gateway_name=gateway_name, locale=current_locale.get())
    return told.hint if told else ""


def _told(gateway: str) -> Told:
    """Other gateways than these have no addresses here."""
    if gateway not in NAMED_BY:
        abort(404)
    order_id, key, amount = (request.args.get(name) if name else None for name in NAMED_BY[gateway])
    is_number = amount is not None and amount.isascii() and amount.isdigit() and len(amount) <= 13
    # An amount that is missing or no number differs from every amount.
    is_told = NAMED_BY[gateway][2] is not None
    return Told(order_id, key, (int(amount) if is_number and amount else 0) if is_told else None)


def _values(token: str, picture: Picture) -> dict[str, Any]:
    return {"token": token, "picture": picture, "say": words}


def _secured(page: str, status: int) -> Response:
    return policies.with_forms_to_windows(make_response(page, status))


def _to_result(token: str) -> AnyResponse:
    return redirect(address_of(".show_result", token=token), 303)


def _by(picture: Picture) -> Actor:
    return Actor("customer", str(picture.customer_id))
