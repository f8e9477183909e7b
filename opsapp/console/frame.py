"""What surrounds every page: request id, language, theme, headers, the line in the access log."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from flask import (
    Flask,
    Response,
    abort,
    current_app,
    flash,
    g,
    render_template,
    request,
)
from jinja2.runtime import Context
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from opsapp.console import (
    access,
    addresses,
    bulk_words,
    help_words,
    ledger_words,
    log_words,
    navigation,
    order_words,
    permission_words,
    subscription_words,
    ticket_words,
    words,
)
from opsapp.kernel import clock, locale, log
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import keep_while_reading, stop_keeping
from opsapp.kernel.ids import new_ref
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.masking import mask_account, mask_email, mask_name, mask_phone
from opsapp.kernel.money import Money
from opsapp.payments import explaining
from opsapp.payments.explaining import Explanation
from opsapp.settings import current
from opsapp.staff.rules import Permission

lines = structlog.get_logger("access")


# The hash is that of the empty string: a chart may add an empty <style> and fill it by script.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; "
        "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
FILES_KEPT_S = 31_536_000  # their addresses carry a hash of the content
LOCALE_COOKIE = "opsapp_locale"
# How rooms note a failure: its code, and how many there were.
COUNTED = r"(?:failure (?P<nth>\d+): )?(?P<code>[A-Z][A-Z0-9_]{3,})(?:, attempt (?P<last>\d+))?"


class Values(Context):
    """What a template knows. No function of ours asks for it, so none is looked at for that."""

    def call(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        _loop_vars: Any = None,
        _block_vars: Any = None,
        **kwargs: Any,
    ) -> Any:
        return function(*args, **kwargs)


def install(app: Flask) -> None:
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = FILES_KEPT_S
    if proxies := current().proxy_count:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    app.before_request(_open)
    app.after_request(_close)
    app.teardown_request(lambda _error: stop_keeping())
    app.jinja_env.context_class = Values
    app.jinja_env.globals.update(_globals())
    app.jinja_env.filters.update(_filters())
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(_context)


def now() -> Any:
    """Business time, read once a request."""
    if "now" not in g:
        g.now = clock.now()
    return g.now


def fragment(template: str, **values: Any) -> Markup:
    """A part of a page, to stand inside another template as it is."""
    return Markup(render_template(template, **values))  # noqa: S704 - escaped when rendered


def because(reason: str) -> str:
    """A log entry's reason in the reader's language; what follows in brackets is a code."""
    head, bracket, code = reason.partition(" (")
    if told := hint(code.removesuffix(")")):
        return f"{told} ({code}"
    if counted := re.fullmatch(COUNTED, head):
        nth, bare = counted["nth"] or counted["last"], counted["code"]
        told = f"{hint(bare)} ({bare})" if hint(bare) else bare
        return f"{_('Failure {number}', number=nth)}: {told}" if nth else told
    known = ticket_words.REASON.get(head) or words.NOTICE_KIND.get(head) or head
    return _in_words(known) + bracket + code


def _in_words(reason: str) -> str:
    """Whole, or with its number taken out, or with somebody's own words behind a colon."""
    if (told := _(reason)) != reason:
        return told
    if len(numbers := re.findall(r"\d+", reason)) == 1:
        key = reason.replace(numbers[0], "{number}")
        if (told := _(key)) != key:
            return told.replace("{number}", numbers[0])
    head, colon, rest = reason.partition(": ")
    return f"{_(head)}{colon}{_in_words(rest) if rest else rest}"


def presets() -> list[tuple[str, str, str]]:
    """Periods that people ask for, in Seoul days: the word, the first and the last day."""
    today = seoul_date(now())
    month = today.replace(day=1)
    last = month - timedelta(days=1)
    yesterday = today - timedelta(days=1)
    return [
        (word, first.isoformat(), end.isoformat())
        for word, first, end in (
            (_("Today"), today, today),
            (_("Yesterday"), yesterday, yesterday),
            (_("Last 7 days"), today - timedelta(days=6), today),
            (_("This month"), month, today),
            (_("Last month"), last.replace(day=1), last),
        )
    ]


def hint(code: str | None, gateway_name: str | None = None) -> str:
    """What a gateway's failure code means, as it is said to the customer; "" if unknown."""
    told = explain(code, gateway_name)
    return told.hint if told else ""


def explain(code: str | None, gateway_name: str | None = None) -> Explanation | None:
    """What staff are told about a failure code; by the dictionary as it was when the page began."""
    if not code:
        return None
    if "dictionary_is_fresh" not in g:
        explaining.refresh()
        g.dictionary_is_fresh = True
    return explaining.explain(code, gateway_name=gateway_name, locale=locale.current_locale.get())


def explain_reason(reason: str) -> Explanation | None:
    """For the code that a log entry or a ticket names, if it names one."""
    counted = re.fullmatch(COUNTED, reason.partition(" (")[0])
    code = counted["code"] if counted else reason.partition(" (")[2].removesuffix(")")
    return explain(code)


def purpose_here() -> str:
    """What the present screen is for, in one line; "" for a part of one."""
    return _(help_words.PURPOSE.get(str(request.endpoint), ""))


def say(text: str, *, undo: str | None = None) -> None:
    """A note on the next page. `undo` is an address that takes the act back by POST."""
    flash(text, undo or "")


def is_fragment() -> bool:
    """htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def _open() -> None:
    g.began = time.perf_counter()
    g.request_id = new_ref("req", pairs=6)
    log.origin.set(log.Origin(request.remote_addr or "", g.request_id))
    if request.method == "GET":
        keep_while_reading()
    chosen = request.cookies.get(LOCALE_COOKIE, "ko")
    if request.path.startswith("/console"):
        known = access.find_visitor()
        chosen = known.locale if known else chosen
    locale.current_locale.set(chosen if chosen in locale.LOCALES else "ko")
    if "\x00" in request.path:
        abort(404)  # no column can hold it, so nothing is called that


def _close(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    response.headers["X-Request-Id"] = g.get("request_id", "")
    _stay_here(response)
    if request.endpoint != "static" and not str(request.endpoint).startswith("bootstrap."):
        _log_line(response)
    return response


def _stay_here(response: Response) -> None:
    """The router repeats the host that was named, and what stands between may keep that."""
    here, there = request.host_url, response.location or ""
    if there.startswith(here):
        response.location = "/" + there.removeprefix(here).lstrip("/")
        response.set_data("")  # it says the same again


def _log_line(response: Response) -> None:
    """The route's pattern, never the address: a search box holds names and numbers."""
    took_ms = round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000, 1)
    lines.info(
        "request",
        request_id=g.get("request_id"),
        method=request.method,
        route=str(request.url_rule) if request.url_rule else None,
        status=response.status_code,
        took_ms=took_ms,
        length=response.content_length,
    )


def _globals() -> dict[str, Any]:
    return {
        "_": locale.gettext,
        "Permission": Permission,
        "words": words,
        "bulk_words": bulk_words,
        "ledger_words": ledger_words,
        "help_words": help_words,
        "log_words": log_words,
        "permission_words": permission_words,
        "subscription_words": subscription_words,
        "ticket_words": ticket_words,
        "receipt_words": order_words,
        "because": because,
        "now": now,
        "standing": standing,
        "url_for": addresses.address,
        "real_now": lambda: datetime.now(UTC),
        "hint": hint,
        "explain": explain,
        "explain_reason": explain_reason,
        "presets": presets,
        "mode": current().mode,
        "shop_name": current().shop_name,
        "asset": addresses.asset,
        "bootstrap_file": addresses.bootstrap_file,
        "navigation": navigation.groups,
        "purpose_here": purpose_here,
    }


def _filters() -> dict[str, Any]:
    return {
        "won": locale.won,
        "kst": locale.kst,
        "kst_short": locale.kst_short,
        "kst_clock": lambda moment: locale.kst(moment)[11:16],
        "kst_seconds": lambda moment: locale.kst(moment)[:19],
        "kst_with_utc": locale.kst_with_utc,
        "kst_day": locale.kst_day,
        "ago": lambda moment, since=None: locale.ago(moment, now=since or now()),
        "span": locale.span,
        "money": lambda minor, currency="KRW": Money(int(minor), currency),
        "mask_name": mask_name,
        "mask_email": mask_email,
        "mask_phone": mask_phone,
        "mask_account": mask_account,
    }


def _context() -> dict[str, Any]:
    return {
        "visitor": access.find_visitor(),
        "may": access.may,
        "locale": locale.current_locale.get(),
        "here": request.full_path.rstrip("?"),
        "link": addresses.link,
    }


def standing(template: str) -> Markup:
    """A part of the frame that shows one role the same on one screen whoever looks: drawn once.

    Its template is given no visitor and must not ask for one.
    """
    known = access.find_visitor()
    role, language = known.role if known else "", locale.current_locale.get()
    kept: dict[Any, Markup] = current_app.extensions.setdefault("standing parts", {})
    key = template, role, language, request.endpoint, addresses.root()
    if key not in kept:
        part = current_app.jinja_env.get_template(template).render()
        kept[key] = Markup(part)  # noqa: S704 - escaped when rendered
    return kept[key]
