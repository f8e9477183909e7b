"""A payment method for what an old one pays, or beside the others: registered at the payment
company's own page.

The addresses that it sends the customer back to are read by GET, as the vendors redirect. What
they say is believed by nobody: the auth key is exchanged by a worker, and saying it twice changes
nothing.
"""

from typing import Any

from flask import (
    Blueprint,
    Response,
    make_response,
    redirect,
    render_template,
    request,
    url_for as address_of,
)
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse
from wtforms import RadioField
from wtforms.validators import InputRequired

from opsapp.customers import queries as customers, replacing
from opsapp.customers.errors import (
    LinkUnknown,
    NotRegistrable,
    RegistrationOfAnother,
    WindowNotReady,
)
from opsapp.customers.linking import Link, open_link
from opsapp.customers.replacing import PURPOSE, Returned
from opsapp.gateways.values import Window
from opsapp.insights import showing_subscriptions as showing
from opsapp.insights.showing_subscriptions import ShownMethod
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import now, seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.locale import current_locale
from opsapp.payments import explaining
from opsapp.portal import frame, policies, subscription_words as words
from opsapp.portal.frame import public
from opsapp.settings import current

routes = Blueprint("portal_payment_methods", __name__, url_prefix="/my/payment-method")

KINDS: list[Any] = list(words.METHOD_HINT)
MOVING = ("requested", "issuing")
# Seconds between two looks of the page while nothing is certain.
POLLS_S = (1, 2, 2, 3, 5, 8, 10)
REFUSALS = (NotRegistrable, RegistrationOfAnother, WindowNotReady)


class KindForm(FlaskForm):
    kind = RadioField(choices=KINDS, validators=[InputRequired("Choose what to register.")])


@routes.get("/<token>")
@public
def show(token: str) -> AnyResponse:
    link, method = _open(token)
    registered = showing.find_registered(link.id)
    if registered is not None and registered.status != "refused":
        return _to_result(token)
    return _page(token, link, method, KindForm(formdata=None), notice=_told_before(registered))


@routes.post("/<token>")
@public
def choose(token: str) -> AnyResponse:
    link, method = _open(token)
    form = KindForm()
    if not form.validate_on_submit():
        return _page(token, link, method, form, status=422)
    try:
        return _to_window(token, link, method, form.kind.data or "")
    except REFUSALS as error:
        return _page(token, link, method, form, notice=error.message, status=error.http_status)


@routes.get("/<token>/return/<gateway>/<kind>")
@public
def come_back(token: str, gateway: str, kind: str) -> AnyResponse:
    link, method = _open(token)
    told = (request.args.get(name, "") for name in ("authKey", "customerKey"))
    returned, by = Returned(gateway, kind, *told), _by(link)
    try:
        with transaction():
            replacing.come_back(token, returned, replaces_id=method.id if method else None, by=by)
    except REFUSALS as error:
        form = KindForm(formdata=None)
        return _page(token, link, method, form, notice=error.message, status=error.http_status)
    return _to_result(token)


@routes.get("/<token>/fail/<gateway>")
@public
def give_up(token: str, gateway: str) -> AnyResponse:
    """Anybody can call it: nothing is written, the page only says what was told."""
    _open(token)
    code = request.args.get("code", "left")[:60]
    return redirect(address_of(".show", token=token, left=code, at=gateway[:20]), 303)


@routes.get("/<token>/result")
@public
def show_result(token: str) -> AnyResponse:
    """Looks again by itself until the truth is known; with script in place, without it whole."""
    link, _ = _open(token)
    registered = showing.find_registered(link.id)
    if registered is None:
        return redirect(address_of(".show", token=token), 303)
    look = min(max(request.args.get("look", 0, type=int), 0), len(POLLS_S))
    template = "_state.html" if frame.is_fragment() else "result.html"
    values = _result(registered) | {
        "token": token,
        "is_added": link.subject_type == "customer",
        "say": words,
        "wait_s": POLLS_S[min(look, len(POLLS_S) - 1)],
        "look": look + 1,
    }
    return make_response(render_template(f"portal/payment_methods/{template}", **values))


@routes.errorhandler(OpsError)
def refuse(error: OpsError) -> tuple[str, int]:
    return frame.refused(error)


def _open(token: str) -> tuple[Link, ShownMethod | None]:
    """The method that another one is to replace, if any. Raises LinkUnknown, TooManyLinks."""
    link = open_link(token, purpose=PURPOSE, address=request.remote_addr or "")
    with transaction():
        method = _replaced(link)
        frame.speak(customers.get_customer(link.customer_id).locale)
    return link, method


def _replaced(link: Link) -> ShownMethod | None:
    """None for a link about the customer: then one is added. Raises LinkUnknown."""
    if link.subject_type == "customer":
        if link.subject_id != link.customer_id:
            raise LinkUnknown
        return None
    return showing.get_method(customers.find_heir(showing.find_method_of(link)))


def _to_window(token: str, link: Link, method: ShownMethod | None, kind: str) -> AnyResponse:
    here, gateway = current().public_url, replacing.find_place(_gateway_of(method))
    window = replacing.open_window(
        link.customer_id,
        gateway,
        kind,
        success_url=here + address_of(".come_back", token=token, gateway=gateway, kind=kind),
        fail_url=here + address_of(".give_up", token=token, gateway=gateway),
        locale=current_locale.get(),
    )
    if window.redirect_url:
        return redirect(window.redirect_url, 303)
    return _script_page(token, window)


def _script_page(token: str, window: Window) -> Response:
    page = render_template("portal/payment_methods/window.html", token=token, window=window)
    return policies.with_script_of(window, make_response(page))


def _page(
    token: str,
    link: Link,
    method: ShownMethod | None,
    form: KindForm,
    *,
    notice: str = "",
    status: int = 200,
) -> Response:
    left = request.args.get("left")
    told = _hint(left, request.args.get("at")) or words.LEFT if left else ""
    page = render_template(
        "portal/payment_methods/page.html",
        token=token,
        say=words,
        method=method,
        is_expired=_is_expired(method),
        pays_for=showing.list_charged_to(method.id) if method else [],
        offers=[kind for kind in KINDS if kind in replacing.list_offers(_gateway_of(method))],
        form=form,
        notice=notice or told,
    )
    return policies.with_forms_to_windows(make_response(page, status))


def _gateway_of(method: ShownMethod | None) -> str:
    """Any will do where nothing is replaced."""
    return method.gateway_name if method else ""


def _is_expired(method: ShownMethod | None) -> bool:
    day = method.expires_on if method else None
    return day is not None and day < seoul_date(now())


def _result(registered: ShownMethod) -> dict[str, Any]:
    return {
        "method": registered,
        "is_moving": registered.status in MOVING,
        "told": _told_before(registered),
        "pays_for": showing.list_charged_to(registered.id),
    }


def _told_before(registered: ShownMethod | None) -> str:
    """Why the last registration was not accepted, in the dictionary's words."""
    if registered is None or registered.status != "refused":
        return ""
    return _hint(registered.refused_code, registered.gateway_name) or words.REGISTRATION["refused"]


def _hint(code: str | None, gateway_name: str | None) -> str:
    if not code:
        return ""
    explaining.refresh()
    told = explaining.explain(code, gateway_name=gateway_name, locale=current_locale.get())
    return told.hint if told else ""


def _to_result(token: str) -> AnyResponse:
    return redirect(address_of(".show_result", token=token), 303)


def _by(link: Link) -> Actor:
    return Actor("customer", str(link.customer_id))
