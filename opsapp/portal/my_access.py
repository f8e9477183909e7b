"""Who may see a my-page: a sign-in of its own, apart from the staff's, asked for before each view.

Every route of these pages is closed unless it says that it is open.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import (
    Blueprint,
    Flask,
    current_app,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response

from opsapp.customers import sessions
from opsapp.customers.finding_shoppers import Guest
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import NotFound, OpsError
from opsapp.kernel.states import IllegalMove
from opsapp.portal import frame, my_words as words
from opsapp.settings import current
from opsapp.subscriptions.errors import ChangedMeanwhile

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = f"{frame.PREFIX}my_"
COOKIE = "opsapp_my"
PATH = "/my"
_NAMED = "portal_my_signing_in.show"


class NothingHere(OpsError):
    code = "nothing_here"
    http_status = 404
    message = "There is nothing here."
    remedy = "Go back to your page."


def shopper(view: F) -> F:
    """Declare that whoever is signed in sees their own, and nothing of anybody else."""
    view.permission, view.polled = "shopper", False  # type: ignore[attr-defined]
    return view


def guest() -> Guest:
    """Whose page it is; only behind a sign-in."""
    found: Guest = g.guest
    return found


def find_guest() -> Guest | None:
    """Of a page that is open to everybody."""
    known: Guest | None = g.get("guest")
    return known


def by_guest() -> Actor:
    return Actor("customer", str(guest().customer_id))


def install(app: Flask) -> None:
    app.before_request(_guard)


def rooms(name: str, path: str) -> Blueprint:
    """The routes of one kind of page, with refusals as pages of their own."""
    routes = Blueprint(f"{PREFIX}{name}", __name__, url_prefix=f"{PATH}/{path}".rstrip("/"))
    routes.register_error_handler(OpsError, _refuse)
    routes.register_error_handler(IllegalMove, lambda _error: _refuse(ChangedMeanwhile()))
    return routes


def page(template: str, **more: Any) -> str:
    return render_template(f"portal/my/{template}", **(values() | {"say": words} | more))


def values() -> dict[str, Any]:
    """`done`: what the page says after an act, named in the address by who redirected here."""
    done = words.DONE.get(request.args.get("done", ""))
    return {"guest": find_guest(), "done_text": done}


def _refuse(error: OpsError) -> tuple[str, int]:
    """Of what is another's no more is said than of what is nobody's."""
    told = NothingHere() if isinstance(error, NotFound) else error
    return frame.refused(told, guest=find_guest())


def let_in(response: Response, token: str) -> Response:
    """The cookie of a fresh sign-in; forms of whoever was there before are worth nothing."""
    session.pop("csrf_token", None)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(sessions.LIFE.total_seconds()),
        httponly=True,
        secure=current().public_url.startswith("https://"),
        samesite="Lax",
        path=PATH,
    )
    return response


def let_out(response: Response) -> Response:
    session.pop("csrf_token", None)
    response.delete_cookie(COOKIE, path=PATH)
    return response


def _guard() -> Response | None:
    if not str(request.endpoint).startswith(PREFIX):
        return None
    view = request.endpoint and _view(request.endpoint)
    if token := request.cookies.get(COOKIE, ""):
        _recognise(token)
    if getattr(view, "permission", "shopper") is None or find_guest() is not None:
        return None
    return redirect(url_for(_NAMED, again=1 if token else None), 303)


def _view(endpoint: str) -> Any:
    return current_app.view_functions[endpoint]


def _recognise(token: str) -> None:
    with transaction():
        found = sessions.find(token)
    if found is not None:
        g.guest = found
        frame.speak(found.locale)
