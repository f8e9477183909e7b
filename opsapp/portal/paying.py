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
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as AnyResponse
from wtforms import HiddenField, RadioField, SelectField, StringField, ValidationError
from wtforms.validators import Length, Optional, Regexp

from opsapp.cash_receipts import asking
from opsapp.cash_receipts.errors import ReceiptNotOffered
from opsapp.cash_receipts.rules import METHOD_KINDS, Registration, read_registration
from opsapp.checkout import asking_consents, choosing, offering, returning, showing
from opsapp.checkout.choosing import Choice
from opsapp.checkout.errors import (
    CheckoutOver,
    ConsentsMissing,
    NeedsRegisteredMethod,
    PointsSettled,
    PriceChanged,
    TooManyChoices,
)
from opsapp.checkout.offering import Ways
from opsapp.checkout.returning import Told
from opsapp.checkout.rules import MOVING_STAGES, OPEN_STAGES
from opsapp.checkout.showing import Picture
from opsapp.customers.errors import (
    MethodNotUsable,
    MethodOfAnother,
    NotRegistrable,
    TooManyRegistrations,
    WindowNotReady,
)
from opsapp.gateways.values import Window
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import current_locale, gettext as _, won
from opsapp.kernel.money import Money
from opsapp.orders.errors import BelowMinimum, NotInWon
from opsapp.payments import presenting
from opsapp.payments.errors import AmountDiffers, NotRetryable, NoWindow, WindowAway, WindowOpen
from opsapp.points.errors import NotEnoughPoints
from opsapp.portal import frame, paying_page, paying_registration, paying_words as words, policies
from opsapp.portal.frame import public
from opsapp.portal.paying_page import customer, open_picture, secured, to_result, values
from opsapp.routing.errors import NoRoute
from opsapp.settings import current

routes = Blueprint("portal_paying", __name__, url_prefix="/pay")

BANKS: list[Any] = list(words.ACCOUNT_BANKS)
RECEIPTS: list[Any] = list(words.RECEIPT)
POINT_DIGITS_MAX = 10
NEW = "new-"  # a way of that kind that has to be registered first
# After these the shopper may choose another way, or the same with other eyes.
REFUSALS = (
    NoRoute, WindowOpen, WindowAway, NoWindow, ReceiptNotOffered, TooManyChoices, PriceChanged,
    ConsentsMissing, NeedsRegisteredMethod, NotEnoughPoints, BelowMinimum, NotInWon, PointsSettled,
    MethodNotUsable, MethodOfAnother, NotRegistrable, TooManyRegistrations, WindowNotReady,
)  # fmt: skip

# What a gateway's addresses tell: the names of our number, of its key and of the amount.
NAMED_BY: dict[str, tuple[str | None, str | None, str | None]] = {
    "toss": ("orderId", "paymentKey", "amount"),
    "portone": ("paymentId", None, None),
    "stripe": (None, "payment_intent", None),
}


class PayForm(FlaskForm):
    """`seen_now`: the sum that was on the screen before points, `seen_cycle` that of each period,
    in minor units.
    """

    method = RadioField(choices=[], validators=[Optional()])
    points = StringField(default="0", validators=[Length(max=13)])
    seen_now = HiddenField(validators=[Optional(), Regexp(r"^[0-9]{1,15}\Z")])
    seen_cycle = HiddenField(validators=[Optional(), Regexp(r"^[0-9]{1,15}\Z")])
    bank = SelectField(choices=BANKS, default=words.ACCOUNT_BANKS[0])
    receipt = RadioField(choices=RECEIPTS, default="none")
    receipt_number = StringField(validators=[Length(max=30, message=words.NO_NUMBER)])

    def __init__(self, picture: Picture, ways: Ways, **more: Any) -> None:
        super().__init__(**more)
        self.picture, self.method.choices = picture, [(each, each) for each in ways.values]

    def validate_points(self, field: StringField) -> None:
        points = _read_points("".join((field.data or "0").split()))
        if points is None:
            raise ValidationError(words.NO_POINTS)
        if points > self.picture.most_points:
            most = f"{self.picture.most_points:,}"
            raise ValidationError(_("At most {count} points can be used here.", count=most))
        field.data = f"{points:,}"

    def validate_receipt_number(self, field: StringField) -> None:
        try:
            self.registration()
        except Invalid as error:
            raise ValidationError(str(error.values["reason"])) from error

    @property
    def points_to_use(self) -> int:
        """None of them where that is no number."""
        return min(_read_points(self.points.data or "") or 0, self.picture.most_points)

    def registration(self) -> Registration | None:
        """Of the cash receipt, where one is wanted and this way to pay has one."""
        kind = self.receipt.data
        if kind in (None, "none") or self.method.data not in METHOD_KINDS:
            return None
        return read_registration(kind, self.receipt_number.data or "")

    def choice(self, ways: Ways) -> Choice:
        own = {each.ref: each.id for each in ways.usable}
        way = self.method.data or None
        seen, cycle = self.seen_now.data, self.seen_cycle.data
        return Choice(
            method_kind=None if way in own else way,
            payment_method_id=own.get(way or ""),
            bank=self.bank.data if way == "virtual_account" else None,
            points=self.points_to_use,
            consents=frozenset(request.form.getlist("consent")),
            seen_now_minor=int(seen) if seen else None,
            seen_cycle_minor=int(cycle) if cycle else None,
            locale=current_locale.get(),
        )


@routes.get("/<token>")
@public
def show(token: str) -> AnyResponse:
    picture = open_picture(token)
    if picture.stage not in OPEN_STAGES:
        return to_result(token)
    points = max(request.args.get("points", 0, type=int), 0)
    told = {"points": f"{points:,}", "method": _named_way()}
    return _page(token, picture, told=told, notice=_told_before(picture))


@routes.post("/<token>")
@public
def choose(token: str) -> AnyResponse:
    """A second click, another tab or the Back button chooses again, or finds it under way."""
    picture = open_picture(token)
    if picture.stage not in OPEN_STAGES:
        return to_result(token)
    ways = _ways(picture)
    form = PayForm(picture, ways)
    try:
        if not _is_complete(form, picture, ways) or request.form.get("act") == "recalculate":
            return _page(token, picture, form, status=422 if form.errors else 200)
        return _choose(token, picture, ways, form)
    except (NotRetryable, CheckoutOver):
        return to_result(token)
    except REFUSALS as error:
        return _refused(token, picture.checkout_id, error, form=form)


@routes.get("/<token>/return/<gateway>")
@public
def come_back(token: str, gateway: str) -> AnyResponse:
    picture, told = open_picture(token), _told(gateway)
    if "code" in request.args:  # PortOne has one address for both ends
        return give_up(token, gateway)
    try:
        returning.come_back(picture.checkout_id, told, by=customer(picture))
    except (NoWindow, AmountDiffers) as error:
        return _refused(token, picture.checkout_id, error)
    return to_result(token)


@routes.get("/<token>/fail/<gateway>")
@public
def give_up(token: str, gateway: str) -> AnyResponse:
    picture, told = open_picture(token), _told(gateway)
    with transaction():
        returning.give_up(picture.checkout_id, told, by=customer(picture))
    return paying_page.to_form(token, left=request.args.get("code", "left")[:60])


@routes.get("/<token>/result")
@public
def show_result(token: str) -> AnyResponse:
    """Looks again by itself until the truth is known; with script in place, without it whole."""
    picture = open_picture(token)
    if not picture.legs and picture.stage in OPEN_STAGES:
        return paying_page.to_form(token)
    template = "_state.html" if frame.is_fragment() else "result.html"
    shown = values(token, picture) | paying_page.polling()
    shown |= {"is_moving": picture.stage in MOVING_STAGES, "told": _explained(picture)}
    return secured(render_template(f"portal/paying/{template}", **shown), 200)


@routes.errorhandler(CSRFError)
def open_again(error: CSRFError) -> AnyResponse | tuple[str, int]:
    """Left open over lunch, or its cookie is gone: nothing was done, the page is there anew."""
    token = str((request.view_args or {})["token"])
    try:
        picture = open_picture(token)
    except OpsError as refusal:
        return frame.refused(refusal)
    if picture.stage not in OPEN_STAGES:
        return to_result(token)
    return _page(token, picture, notice=_(words.STALE), status=error.code)


@routes.errorhandler(OpsError)
def refuse(error: OpsError) -> tuple[str, int]:
    return frame.refused(error)


def _ways(picture: Picture) -> Ways:
    with transaction():
        return offering.list_ways(picture)


def _is_complete(form: PayForm, picture: Picture, ways: Ways) -> bool:
    """Nothing has to be chosen where points pay for all of it and nothing recurs."""
    is_valid = bool(form.validate_on_submit())
    is_covered = is_valid and form.points_to_use == picture.now.minor and not picture.legs
    is_free = is_covered and not ways.needs_registered
    is_missing = not form.method.data and request.form.get("act") != "recalculate" and not is_free
    if is_missing or form.method.errors:  # or it is offered no longer
        form.method.errors = [words.NO_WAY]
        return False
    return is_valid


def _choose(token: str, picture: Picture, ways: Ways, form: PayForm) -> AnyResponse:
    way = form.method.data or ""
    if way.startswith(NEW):
        kind = way.removeprefix(NEW)
        return paying_registration.to_window(token, picture, kind, form.points_to_use)
    by, receipt = customer(picture), form.registration()
    with transaction():
        choosing.choose(picture.checkout_id, form.choice(ways), by=by)
        payment_id = showing.picture(picture.checkout_id).payment_id
        if receipt is not None and payment_id is not None:
            asking.ask(payment_id, receipt, by=by)
        elif payment_id is not None:
            asking.withdraw_wish(payment_id, by=by)
    return _to_window(token, picture.checkout_id)


def _to_window(token: str, checkout_id: int) -> AnyResponse:
    """To the gateway's own page, to ours with its script, or to where the account will stand."""
    with transaction():
        picture = showing.picture(checkout_id)
    waiting = next((leg for leg in picture.legs if leg.state == "at_window"), None)
    if waiting is None or waiting.latest is None or waiting.payment_id is None:
        return to_result(token)
    here, gateway = current().public_url, waiting.latest.gateway_name
    back = {
        f"{end}_url": here + address_of(view, token=token, gateway=gateway)
        for end, view in (("success", ".come_back"), ("fail", ".give_up"))
    }
    window = presenting.open_window(waiting.payment_id, locale=current_locale.get(), **back)
    if window.redirect_url:
        return redirect(window.redirect_url, 303)
    return _script_page(token, picture, waiting.money, window)


def _script_page(token: str, picture: Picture, money: Money, window: Window) -> Response:
    shown = values(token, picture) | {"window": window, "money": money}
    page = render_template("portal/paying/window.html", **shown)
    return policies.with_script_of(window, make_response(page))


def _page(
    token: str,
    picture: Picture,
    form: PayForm | None = None,
    *,
    told: dict[str, Any] | None = None,
    notice: str = "",
    status: int = 200,
) -> Response:
    ways = _ways(picture)
    form = form or PayForm(picture, ways, formdata=None, data=told or {})
    form.picture = picture
    with transaction():
        asked = [] if picture.legs else asking_consents.list_needed(
            picture.quote, locale=current_locale.get()
        )  # fmt: skip
    ticked = set(request.form.getlist("consent"))
    is_told = status == ConsentsMissing.http_status and request.form.get("act") != "recalculate"
    points = picture.placed_points or form.points_to_use
    shown = values(token, picture) | {
        "form": form,
        "ways": ways,
        "points": points,
        # How the script writes sums; a constant in the template would be folded in one language.
        "pattern": Money(1000, "KRW"),
        "left": picture.now - Money(points, picture.now.currency),
        "chosen": form.method.data if form.method.data in ways.values else _first(ways),
        "asked": asked,
        "ticked": ticked,
        "missing": [each.key for each in asked if each.key not in ticked] if is_told else [],
        "notice": notice,
    }
    return secured(render_template("portal/paying/page.html", **shown), status)


def _read_points(text: str) -> int | None:
    """None for what is no number, or one that is longer than any of ours."""
    digits = text.replace(",", "")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= POINT_DIGITS_MAX
    return int(digits) if is_number else None


def _first(ways: Ways) -> str:
    return ways.values[0] if ways.values else ""


def _named_way() -> str:
    return request.args.get("chosen", "")[:60]


def _refused(
    token: str, checkout_id: int, error: OpsError, *, form: PayForm | None = None
) -> AnyResponse:
    """The page again and why; what is under way or settled by now has a page of its own."""
    with transaction():
        picture = showing.picture(checkout_id)
    if picture.stage not in OPEN_STAGES:
        return to_result(token)
    return _page(token, picture, form, notice=_reason(error), status=error.http_status)


def _reason(error: OpsError) -> str:
    """In the shopper's words, sums as they write them."""
    told = {
        name: won(value) if isinstance(value, Money)
        else f"{value:,}" if isinstance(value, int)
        else value
        for name, value in error.values.items()
    }  # fmt: skip
    return _(words.REFUSED.get(error.code, error.message), **told)


def _told_before(picture: Picture) -> str:
    """What became of the last try, in the dictionary's words."""
    if told := _explained(picture):
        return told
    if code := request.args.get("unregistered"):
        return paying_page.hint(code, request.args.get("at")) or _(words.UNREGISTERED)
    if code := request.args.get("left"):
        gateway_name = picture.latest.gateway_name if picture.latest else None
        return paying_page.hint(code, gateway_name) or _(words.LEFT)
    return ""


def _explained(picture: Picture) -> str | None:
    latest = picture.latest
    if picture.stage not in OPEN_STAGES or latest is None or latest.failure_code is None:
        return None
    return paying_page.hint(latest.failure_code, latest.gateway_name) or _(words.LEFT)


def _told(gateway: str) -> Told:
    """Other gateways than these have no addresses here."""
    if gateway not in NAMED_BY:
        abort(404)
    order_id, key, amount = (request.args.get(name) if name else None for name in NAMED_BY[gateway])
    is_number = amount is not None and amount.isascii() and amount.isdigit() and len(amount) <= 13
    # An amount that is missing or no number differs from every amount.
    is_told = NAMED_BY[gateway][2] is not None
    return Told(order_id, key, (int(amount) if is_number and amount else 0) if is_told else None)
