"""What the pages behind a payment link have in common: whose they are, what they explain."""

from typing import Any

from flask import Response, make_response, redirect, request, url_for as address_of
from werkzeug.wrappers import Response as AnyResponse

from opsapp.checkout import opening, showing
from opsapp.checkout.showing import Picture
from opsapp.customers.linking import Link, open_link
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.locale import current_locale
from opsapp.payments import explaining
from opsapp.portal import frame, paying_words as words, policies

PURPOSE = opening.PURPOSE
# Seconds between two looks of a page while nothing is certain.
POLLS_S = (1, 2, 2, 3, 5, 8, 10)


def open_picture(token: str) -> Picture:
    """Raises LinkUnknown, the same whatever is wrong with it, and TooManyLinks."""
    return open_with_link(token)[1]


def open_with_link(token: str) -> tuple[Link, Picture]:
    """As open_picture."""
    link = open_link(token, purpose=PURPOSE, address=request.remote_addr or "")
    with transaction():
        picture = showing.picture(link.subject_id)
    frame.speak(picture.locale)
    return link, picture


def values(token: str, picture: Picture) -> dict[str, Any]:
    return {"token": token, "picture": picture, "say": words}


def polling() -> dict[str, int]:
    """When the page looks again, and how often it has looked then."""
    look = min(max(request.args.get("look", 0, type=int), 0), len(POLLS_S))
    return {"wait_s": POLLS_S[min(look, len(POLLS_S) - 1)], "look": look + 1}


def secured(page: str, status: int) -> Response:
    return policies.with_forms_to_windows(make_response(page, status))


def to_form(token: str, **more: Any) -> AnyResponse:
    return redirect(address_of("portal_paying.show", token=token, **more), 303)


def to_result(token: str) -> AnyResponse:
    return redirect(address_of("portal_paying.show_result", token=token), 303)


def hint(code: str | None, gateway_name: str | None) -> str:
    """In the dictionary's words; nothing for what it does not know."""
    if not code:
        return ""
    explaining.refresh()
    told = explaining.explain(code, gateway_name=gateway_name, locale=current_locale.get())
    return told.hint if told else ""


def customer(picture: Picture) -> Actor:
    return Actor("customer", str(picture.customer_id))
