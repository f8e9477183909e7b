"""What surrounds every page of a shopper: language, forms that are theirs, headers."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, abort, render_template, request
from flask_wtf.csrf import CSRFError, validate_csrf
from wtforms import ValidationError

from opsapp.kernel import locale
from opsapp.kernel.errors import OpsError
from opsapp.kernel.locale import gettext as _

F = TypeVar("F", bound=Callable[..., Any])
PREFIX = "portal_"


def public(view: F) -> F:
    """Declare that whoever holds the address may see it."""
    view.permission, view.polled = None, True  # type: ignore[attr-defined]
    return view


def speak(language: str) -> None:
    """The customer's language, once it is known whose page it is."""
    locale.current_locale.set(language if language in locale.LOCALES else "ko")


def refused(error: OpsError, *, guest: object = None) -> tuple[str, int]:
    """A page of its own: what is wrong, what to do, nothing about anybody."""
    remedy = _(error.remedy) if error.remedy else ""
    # What rooms fill in are words of the catalogue themselves.
    told = {n: _(v) if isinstance(v, str) else v for n, v in error.values.items()}
    values = {"text": _(error.message, **told), "remedy": remedy, "guest": guest}
    return render_template("portal/refused.html", **values), error.http_status


def is_fragment() -> bool:
    """htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def install(app: Flask) -> None:
    app.before_request(_guard)
    app.after_request(_close)


def _is_ours() -> bool:
    return str(request.endpoint).startswith(PREFIX)


def _guard() -> None:
    """Before the page is known to be somebody's, the browser says which language."""
    if _is_ours():
        speak(request.accept_languages.best_match(locale.LOCALES) or "ko")
        if any("\x00" in value for value in (*request.args.values(), *request.form.values())):
            abort(400)  # no browser sends it, no column can hold it
        if request.method == "POST":
            _protect()


def _protect() -> None:
    """By the token alone: the browser is told to send no referrer, which the console's check asks
    for over https.
    """
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as error:
        raise CSRFError(error.args[0]) from error


def _close(response: Response) -> Response:
    """The address is the key: it is told to nobody."""
    if _is_ours():
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Robots-Tag"] = "noindex"
    return response
