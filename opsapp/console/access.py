"""Who may pass: sign-ins by cookie, a permission declared on every route, CSRF on every change."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from flask import (
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    g,
    redirect,
    request,
    session,
    url_for,
)
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.log import Entry, record
from opsapp.settings import current
from opsapp.staff import rules, sessions
from opsapp.staff.queries import Visitor
from opsapp.staff.rules import Permission

COOKIE = "opsapp_sign_in"
FORMS_OF = "forms_of"  # the session's name for the sign-in that its forms were made for
REQUEST_BYTES_MAX = 256 * 1024
# Sent by a page that asks again by itself: whoever sends it only gives up a longer sign-in.
POLLED = "X-Polled"
# A sign-in is written as seen at most this often: a page of fragments is one act of a person.
SEEN_EVERY_S = 5

F = TypeVar("F", bound=Callable[..., Any])

_csrf = CSRFProtect()
_login = LoginManager()


class UndeclaredRoute(RuntimeError):
    """A programming error: a route of this door names neither a permission nor @public."""


class SignedIn(UserMixin):
    """What flask-login knows about the visitor."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor

    def get_id(self) -> str:
        return str(self.visitor.account_id)


def requires(permission: Permission, *, polled: bool = False) -> Callable[[F], F]:
    """Declare what a route needs. `polled`: asked by a timer, so it keeps no sign-in alive."""

    def declare(view: F) -> F:
        view.permission, view.polled = permission, polled  # type: ignore[attr-defined]
        return view

    return declare


def public(view: F) -> F:
    """Declare that anybody may see it."""
    view.permission, view.polled = None, True  # type: ignore[attr-defined]
    return view


def signed_in(view: F) -> F:
    """Declare that every account may use it, whatever its role: its own preferences."""
    view.permission, view.polled = "signed_in", False  # type: ignore[attr-defined]
    return view


def visitor() -> Visitor:
    """Who is asking; only behind a declared permission."""
    signed: SignedIn = current_user._get_current_object()
    return signed.visitor


def find_visitor() -> Visitor | None:
    if "visitor" not in g:  # a page asks dozens of times
        g.visitor = visitor() if current_user.is_authenticated else None
    known: Visitor | None = g.visitor
    return known


def may(permission: Permission) -> bool:
    known = find_visitor()
    return known is not None and rules.allows(known.role, permission)


def demand(permission: Permission) -> None:
    """For a route whose right hangs on what was posted. Refuses as an undeclared one would."""
    if not may(permission):
        g.denied = permission
        _note_denied(visitor(), permission)
        abort(403)


def current_actor() -> Actor:
    return Actor("staff", str(visitor().account_id))


def install(app: Flask) -> None:
    app.config.update(
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=current().public_url.startswith("https://"),
        MAX_CONTENT_LENGTH=REQUEST_BYTES_MAX,  # forms are read before anybody is known
        WTF_CSRF_CHECK_DEFAULT=False,  # asked for below: other doors have callers without cookies
        WTF_CSRF_TIME_LIMIT=None,  # it ends with the sign-in, not in the middle of a form
    )
    _csrf.init_app(app)
    _login.init_app(app)
    _login.session_protection = None  # the sign-in is a row of ours, not the signed cookie
    _login.request_loader(_load)
    app.before_request(_guard)


def refuse_undeclared(app: Flask) -> None:
    """Raises UndeclaredRoute: asked once, at start."""
    missing = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(("console.", "operations."))
        and not hasattr(app.view_functions[rule.endpoint], "permission")
    ]
    if missing:
        raise UndeclaredRoute(f"no @requires and no @public: {', '.join(sorted(missing))}")


def let_in(response: AnyResponse, token: str) -> AnyResponse:
    """Hand out the cookie of a fresh sign-in; what an older visitor's form knew is forgotten."""
    session.clear()
    response.set_cookie(
        COOKIE,
        token,
        max_age=current().session_life_s,
        httponly=True,
        secure=current().public_url.startswith("https://"),
        samesite="Lax",
        path="/console",
    )
    return response


def let_out(response: AnyResponse) -> AnyResponse:
    session.clear()
    response.delete_cookie(COOKIE, path="/console")
    return response


def _load(_request: object) -> SignedIn | None:
    token = request.cookies.get(COOKIE, "")
    if not token or not request.path.startswith("/console"):
        return None
    found = sessions.find(token)
    return None if found is None else SignedIn(found)


def _guard() -> AnyResponse | None:
    """Runs before every view: the declared permission decides, nothing else."""
    if request.endpoint is None or not request.endpoint.startswith("console."):
        return None
    if any("\x00" in value for value in request.form.values()):
        abort(400)  # no browser sends it, no column can hold it
    _tie_forms()
    _csrf.protect()
    view: Any = current_app.view_functions[request.endpoint]
    if view.permission is None:
        return None
    known = find_visitor()
    if known is None:
        return _to_sign_in()
    is_polled = view.polled or POLLED in request.headers
    if not is_polled and known.seen_s_ago >= SEEN_EVERY_S:
        after_this_request(partial(_touch, known.session_id))
    if isinstance(view.permission, Permission) and not may(view.permission):
        g.denied = view.permission
        _note_denied(known, view.permission)
        abort(403)
    return None


def _touch(session_id: int, response: AnyResponse) -> AnyResponse:
    """Last, or what the page reads would be of two moments."""
    with transaction():
        sessions.touch(session_id)
    return response


def _tie_forms() -> None:
    """Forms of another sign-in, also of an earlier one of the same person, are worth nothing."""
    token = request.cookies.get(COOKIE, "")
    mark = hashlib.sha256(f"forms of {token}".encode()).hexdigest()[:16] if token else ""
    if session.get(FORMS_OF, "") != mark:
        session.clear()
        session[FORMS_OF] = mark


def _to_sign_in() -> AnyResponse:
    """A page goes to the sign-in and comes back; a fragment tells htmx to do the same."""
    wanted = (
        request.full_path.rstrip("?") if request.method == "GET" else url_for("console.home.show")
    )
    if request.headers.get("HX-Request"):
        here = request.headers.get("HX-Current-URL", "").partition("/console/")[2]
        target = url_for("console.signing_in.show", next=f"/console/{here}")
        return Response("", 401, {"HX-Redirect": target})
    return redirect(url_for("console.signing_in.show", next=wanted))


def _note_denied(known: Visitor, permission: Permission) -> None:
    """ASVS 16.3.2: refused access is an event of its own."""
    with transaction():
        record(
            Entry(
                "staff_account.access_denied",
                "staff_account",
                known.account_id,
                because=f"{permission} is not a right of the role {known.role}",
                succeeded=False,
                detail={"endpoint": request.endpoint or ""},
            ),
            by=Actor("staff", str(known.account_id)),
        )
