from flask import Blueprint, make_response, redirect, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, forms
from opsapp.console.frame import LOCALE_COOKIE
from opsapp.kernel.db import transaction
from opsapp.kernel.locale import LOCALES
from opsapp.staff import sessions

routes = Blueprint("preferences", __name__, url_prefix="/preferences")

THEMES = ("auto", "light", "dark")
YEAR_S = 31_536_000


@routes.post("/")
@access.signed_in
def prefer() -> Response:
    """Language and theme, kept with the account; back to the page it was asked on."""
    locale, theme = request.form.get("locale"), request.form.get("theme")
    with transaction():
        sessions.prefer(
            access.visitor().account_id,
            locale=locale if locale in LOCALES else None,
            theme=theme if theme in THEMES else None,
        )
    return _back(locale)


@routes.post("/language")
@access.public
def choose_language() -> Response:
    """For the sign-in page, where no account is known yet."""
    return _back(request.form.get("locale"))


def _back(locale: str | None) -> Response:
    home = url_for("console.home.show")
    response = make_response(redirect(forms.safe_next(request.form.get("next", ""), home)))
    if locale in LOCALES:
        response.set_cookie(
            LOCALE_COOKIE, locale, max_age=YEAR_S, samesite="Lax", httponly=True, path="/"
        )
    return response
