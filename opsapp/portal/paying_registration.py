"""On the way to paying: a method is registered at the payment company's page, and back again.

The addresses that it sends the shopper back to are read by GET, as vendors redirect. What they say
is believed by nobody, and saying it twice changes nothing.
"""

from typing import Any

from flask import (
    Blueprint,
    make_response,
    redirect,
    render_template,
    request,
    url_for as address_of,
)
from werkzeug.wrappers import Response as AnyResponse

from opsapp.checkout import offering
from opsapp.checkout.offering import Registration
from opsapp.checkout.showing import Picture
from opsapp.customers import adding_methods, replacing
from opsapp.customers.errors import NotRegistrable
from opsapp.customers.replacing import Returned
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.locale import current_locale, gettext as _
from opsapp.portal import frame, paying_page, paying_words as words, policies
from opsapp.portal.frame import public
from opsapp.settings import current

routes = Blueprint("portal_paying_registration", __name__, url_prefix="/pay")


@routes.get("/<token>/registered/<gateway>/<kind>/<int:points>")
@public
def come_back(token: str, gateway: str, kind: str, points: int) -> AnyResponse:
    """`points`: as they were typed before the shopper left for the other page."""
    picture = paying_page.open_picture(token)
    told = (request.args.get(name, "") for name in ("authKey", "customerKey"))
    returned, by = Returned(gateway, kind, *told), paying_page.customer(picture)
    with transaction():
        adding_methods.come_back(token, returned, purpose=paying_page.PURPOSE, by=by)
    return _to_registered(token, points)


@routes.get("/<token>/unregistered/<gateway>/<int:points>")
@public
def give_up(token: str, gateway: str, points: int) -> AnyResponse:
    """Anybody can call it: nothing is written, the page only says what was told."""
    code = request.args.get("code", "left")[:60]
    return paying_page.to_form(token, points=points, unregistered=code, at=gateway[:20])


@routes.get("/<token>/registering")
@public
def show_registered(token: str) -> AnyResponse:
    """Goes on by itself to the form, with the new method chosen, once that can be charged."""
    link, picture = paying_page.open_with_link(token)
    with transaction():
        registered = offering.find_registration(link.id)
    points = min(request.args.get("points", 0, type=int), picture.most_points)
    if registered is None:
        return paying_page.to_form(token)
    if registered.status == "active":
        return _on(paying_page.to_form(token, chosen=registered.ref, points=points))
    return _page(token, registered, points)


@routes.errorhandler(OpsError)
def refuse(error: OpsError) -> tuple[str, int]:
    return frame.refused(error)


def to_window(token: str, picture: Picture, kind: str, points: int) -> AnyResponse:
    """To where a card's number is typed, which is never here. Raises NotRegistrable and
    WindowNotReady.
    """
    if kind not in replacing.list_offers(""):
        raise NotRegistrable
    gateway, here = replacing.find_place(""), current().public_url
    back: dict[str, Any] = {"token": token, "gateway": gateway, "points": points}
    window = replacing.open_window(
        picture.customer_id,
        gateway,
        kind,
        success_url=here + address_of("portal_paying_registration.come_back", kind=kind, **back),
        fail_url=here + address_of("portal_paying_registration.give_up", **back),
        locale=current_locale.get(),
    )
    if window.redirect_url:
        return redirect(window.redirect_url, 303)
    page = render_template("portal/paying/registration.html", token=token, window=window)
    return policies.with_script_of(window, make_response(page))


def _to_registered(token: str, points: int) -> AnyResponse:
    address = address_of("portal_paying_registration.show_registered", token=token, points=points)
    return redirect(address, 303)


def _page(token: str, method: Registration, points: int) -> AnyResponse:
    template = "_registered.html" if frame.is_fragment() else "registered.html"
    told = paying_page.hint(method.refused_code, method.gateway_name)
    values = paying_page.polling() | {
        "token": token,
        "method": method,
        "points": points,
        "is_moving": method.is_moving,
        "told": told or _(words.REGISTRATION["refused"]),
        "say": words,
    }
    return make_response(render_template(f"portal/paying/{template}", **values))


def _on(elsewhere: AnyResponse) -> AnyResponse:
    """htmx would put the next page into this one: it is told to go there instead."""
    if not frame.is_fragment():
        return elsewhere
    answer = make_response("", 200)
    answer.headers["HX-Redirect"] = elsewhere.headers["Location"]
    return answer
