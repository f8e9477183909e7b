"""Refusals and faults as people see them: what is wrong, what to do, and the request's id."""

from datetime import UTC, datetime
from http import HTTPStatus

import structlog
from flask import Flask, current_app, g, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from opsapp.console import frame, words
from opsapp.kernel.db import end_reading
from opsapp.kernel.errors import OpsError
from opsapp.kernel.locale import gettext as _, won
from opsapp.kernel.money import Money
from opsapp.kernel.states import IllegalMove
from opsapp.staff import queries as staff

log = structlog.get_logger(__name__)

MONEY_NAMES = ("amount", "refundable", "seen", "wished")

Answer = tuple[str, int]


def install(app: Flask) -> None:
    app.register_error_handler(OpsError, _refusal)
    app.register_error_handler(IllegalMove, _moved)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def told(error: OpsError) -> str:
    """The refusal in the reader's language."""
    values = {name: _readable(error.code, name, value) for name, value in error.values.items()}
    parts = [_(error.message).format(**values)]
    if error.remedy:
        parts.append(_(error.remedy).format(**values))
    return " ".join(parts)


def _readable(code: str, name: str, value: object) -> str:
    """Rooms fill in plain values: whole won, a status, an actor, a noun."""
    if isinstance(value, int) and name in MONEY_NAMES:
        return won(Money(value, "KRW"))
    if isinstance(value, Money):
        return won(value)
    if name == "status":
        return _(words.status_word(str(value), hint=code).text)
    if name == "by":
        return staff.names_of_actors([str(value)]).get(str(value), str(value))
    return _(str(value))


def changed_meanwhile() -> str:
    """For a move that the present state does not allow any more."""
    return _("Somebody or something was faster: the state has changed. Load the page again.")


def _refusal(error: OpsError) -> Answer:
    return _answer(error.http_status, told(error))


def _moved(_error: IllegalMove) -> Answer:
    return _answer(409, changed_meanwhile())


def _stale_form(_error: CSRFError) -> Answer:
    return _answer(
        400, _("This form is too old or came from elsewhere. Load the page again and repeat it.")
    )


def _http(error: HTTPException) -> Answer:
    status = error.code or 500
    texts = {
        403: _("Your role does not allow this. Ask an administrator if you need it."),
        404: _("There is nothing at this address. Check the number, or search for it."),
        405: _("This address does not take that kind of request."),
    }
    return _answer(status, texts.get(status, HTTPStatus(status).phrase))


def _fault(error: Exception) -> Answer:
    log.error(
        "console.fault", request_id=g.get("request_id"), route=str(request.url_rule), exc_info=error
    )
    g.now = datetime.now(UTC)  # the error page asks the database for nothing
    end_reading()
    return _answer(
        500, _("Something went wrong on our side; nothing was saved. Try again, or pass this on:")
    )


def _answer(status: int, text: str) -> Answer:
    """A toast for htmx, a page for people; machines at other doors get a line."""
    if not request.path.startswith("/console"):
        return f"{text}\n", status
    template = "console/errors/_toast.html" if frame.is_fragment() else "console/errors/page.html"
    values = {"status": status, "text": text, "request_id": g.get("request_id")}
    try:
        return render_template(template, **values), status
    except SQLAlchemyError:  # not even who is asking can be found out
        bare = current_app.jinja_env.get_template("console/errors/bare.html")
        return bare.render(values), status
