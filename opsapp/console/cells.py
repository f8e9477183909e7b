"""What a list draws in every row, and pages everywhere: in Python, a tenth of what a macro costs.

Templates know these by `_parts/show.html`. What comes from outside is escaped here.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from markupsafe import Markup, escape

from opsapp.console import cell_words, frame, words
from opsapp.console.addresses import address
from opsapp.console.status_words import Word
from opsapp.insights.listing_columns import Column
from opsapp.kernel import locale
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.masking import mask_account, mask_email, mask_name, mask_phone
from opsapp.kernel.money import Money

NOTHING = Markup('<span class="none">–</span>')
DAY_S = 86_400
# Where a thing has a page, and what the page's address calls its number.
PAGES = {
    "payment": ("console.payments.show", "payment_id"),
    "subscription": ("console.subscriptions.show", "subscription_id"),
    "ticket": ("console.tickets.show", "ticket_id"),
    "customer": ("console.customers.show", "customer_id"),
    "notice": ("console.notifications.show", "notice_id"),
    "unmatched_money": ("console.deposits.show", "unmatched_id"),
    "failure_code": ("console.failures.show", "code_id"),
    "unmapped_code": ("console.failures.review", "unmapped_id"),
}


@lru_cache(maxsize=256)
def icon(name: str) -> Markup:
    return _html(f'<i class="bi-{escape(name)}" aria-hidden="true"></i>')


def badge(table: str, status: str) -> Markup:
    return _badge(table, status, locale.current_locale.get())


@lru_cache(maxsize=1024)
def _badge(table: str, status: str, _language: str) -> Markup:
    if table in words.TABLES:
        word = words.word(table, status)
    else:
        found = cell_words.WORDS.get(table, {}).get(status)
        word = found if isinstance(found, Word) else words.UNKNOWN
    text = escape(_(word.text))
    return _html(f'<span class="mark {word.tone}">{icon(word.icon)} {text}</span>')


def amount(minor: int, currency: str = "KRW") -> Markup:
    minus = " minus" if minor < 0 else ""
    told = locale.won(Money(int(minor), currency))
    return _html(f'<span class="won{minus}">{told}</span>')


def when(moment: datetime | None, real: bool = False) -> Markup:
    """`real`: a moment of the machine's own clock, which a test installation does not move.

    The second and the time in UTC are told by console.js to whoever points at it.
    """
    if moment is None:
        return NOTHING
    here = datetime.now(UTC) if real else frame.now()
    full = f"{moment.astimezone(SEOUL):%Y-%m-%d %H:%M}"
    head = f'<time datetime="{moment.isoformat(timespec="seconds")}"'
    if abs((here - moment).total_seconds()) >= DAY_S:
        return _html(f"{head}>{full}</time>")
    is_moving = "" if real else " data-ago"
    ago = locale.ago(moment, now=here)
    return _html(f"{head}{is_moving}>{full[11:]} <small>({ago})</small></time>")


def actor(name: str, names: Mapping[str, str]) -> str:
    """Who did it: people by `names`, everybody else by what they are."""
    if name in names:
        return names[name]
    return _("Nobody signed in") if name == "staff:unknown" else cell_words.tell_actor(name)


def subject(kind: str, number: int | None, payment_id: int | None = None) -> Markup:
    told = _(words.SUBJECT.get(kind, kind))
    page = PAGES.get(kind)
    if page and number:
        place = address(page[0], **{page[1]: number})
    elif payment_id:
        place = address("console.payments.show", payment_id=payment_id)
    else:
        return escape(f"{told} {number}" if number else told)
    return _html(f'<a href="{place}">{escape(told)} {number}</a>')


def columns(
    shown: Sequence[Column], newest_by: str, own: Sequence[str]
) -> list[tuple[Column, Markup, bool]]:
    """Every column of a table, how its cells begin, and whether the list draws them itself.

    The first names the row. HTML ends a cell where the next one begins: that saves a page a
    kilobyte and a half.
    """
    drawn, begin = [], '<th scope="row">'
    for column in shown:
        drawn.append((column, _html(begin or _begin(column, newest_by)), column.key in own))
        begin = ""
    return drawn


def _begin(column: Column, newest_by: str) -> str:
    kind, is_plain = column.kind, column.key != newest_by
    class_ = "num" if column.is_figure else "nowrap" if kind in ("time", "day", "phone") else ""
    tag = f'<td class="{class_}"' if class_ else "<td"
    if kind in ("time", "day", "number") and is_plain:
        tag += f' data-name="{escape(_(column.label))}"'
    return f"{tag}>"


def plainly(names: Mapping[str, str]) -> Callable[[Any, Column], Any]:
    """Draws a cell by the kind of its column; `names` of the people whom a column shows."""
    return partial(_plain, names)


def _plain(names: Mapping[str, str], row: Any, column: Column) -> Any:
    value = column.read(row)
    if value is None or value == "":
        return NOTHING
    kind = column.kind
    if draw := _BY_KIND.get(kind):
        return draw(value)
    if kind == "money":
        return amount(value, row.currency)
    if kind == "status":
        return badge(column.table, value)
    if kind == "word":
        return cell_words.tell(column.table, value)
    if kind == "actor":
        return actor(value, names)
    if kind == "subject":
        about = getattr(row, "subject_type", None) or row.kind
        return subject(about, value, getattr(row, "payment_id", None))
    return value


def _mono(text: Any) -> Markup:
    return _html(f'<span class="mono">{escape(text)}</span>')


def _html(text: str) -> Markup:
    """Whatever is not ours in it was escaped already."""
    return Markup(text)  # noqa: S704


_BY_KIND: dict[str, Callable[[Any], Any]] = {
    "number": "{:,}".format,
    "time": when,
    "day": locale.kst_day,
    "name": mask_name,
    "phone": mask_phone,
    "email": mask_email,
    "account": lambda value: _mono(mask_account(value)),
    "card": lambda value: _mono(f"**** {value}"),
    "reason": frame.because,
    "code": _mono,
}
