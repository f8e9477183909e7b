"""Wording: a notice's texts and values become a message in the customer's language.

The texts that came with the program lie in templates/mail/; staff may put edited ones in their
place (editing). A text may name values, write them in a few ways, and leave parts out; it is
rendered in a sandbox that has nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from opsapp.channels.base import Message
from opsapp.kernel.locale import current_locale, kst, kst_day, kst_short, won
from opsapp.kernel.money import Money
from opsapp.notifications import rules
from opsapp.settings import current

PACKAGE = Path(__file__).parents[1]
# Inside the package when it was installed from a wheel, beside it in a checkout.
FOLDERS = (PACKAGE / "_templates" / "mail", PACKAGE.parent / "templates" / "mail")

_DAY_LENGTH = len("2026-11-22")


@dataclass(frozen=True, slots=True)
class Texts:
    """What one kind of notice says by mail or, in short, on a telephone; in both languages."""

    subject_ko: str
    text_ko: str
    subject_en: str
    text_en: str
    template_ref: str = ""  # of an 알림톡 that KakaoTalk has approved

    def in_locale(self, locale: str) -> tuple[str, str]:
        is_korean = locale == "ko"
        return (
            self.subject_ko if is_korean else self.subject_en,
            self.text_ko if is_korean else self.text_en,
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a message is for."""

    address: str
    name: str
    locale: str


def compose(
    *,
    ref: str,
    kind: str,
    medium: str,
    reader: Reader,
    values: Mapping[str, Any],
    texts: Texts | None = None,
) -> Message:
    """Without `texts` those that came with the program. Raises TemplateError, ValueError,
    LookupError, TypeError for values that do not fit.
    """
    texts = texts or shipped(kind, medium)
    known = _all_values(kind, reader.name, values)
    link = str(known.get("link") or "")
    token = current_locale.set(reader.locale)
    try:
        subject, text = (template_of(part).render(known) for part in texts.in_locale(reader.locale))
        variables = _variables(known) if texts.template_ref else {}
    finally:
        current_locale.reset(token)
    if medium == rules.SHORT:
        subject, text = _for_telephones(subject), _for_telephones(text)
    return Message(
        ref=ref,
        kind=kind,
        locale=reader.locale,
        recipient=reader.address,
        subject=" ".join(subject.split()),
        text=text.strip() + "\n",
        template_ref=texts.template_ref,
        variables=variables,
        link=link,
    )


def without_link(message: Message) -> str:
    """The text of a message that leads somewhere when it is touched: it need not say where."""
    lines = message.text.splitlines()
    return "\n".join(line for line in lines if line.strip() != message.link)


def texts_of(row: Any) -> Texts:
    """Of an edited version."""
    return Texts(row.subject_ko, row.text_ko, row.subject_en, row.text_en, row.template_ref)


@lru_cache(maxsize=256)
def shipped(kind: str, medium: str) -> Texts:
    """The texts that came with the program. Raises LookupError for a kind that has none."""
    ending = ".sms.txt" if medium == rules.SHORT else ".txt"
    parts = [_read(f"{kind}.{locale}{ending}").partition("\n") for locale in rules.LOCALES]
    (subject_ko, _, text_ko), (subject_en, _, text_en) = parts
    return Texts(subject_ko, text_ko.strip(), subject_en, text_en.strip())


@lru_cache(maxsize=1024)
def template_of(text: str) -> Template:
    """Raises TemplateError."""
    return environment().from_string(text)


@lru_cache(maxsize=1)
def environment() -> ImmutableSandboxedEnvironment:
    # Plain text: nothing is escaped, for no reader of it runs anything.
    sandbox = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    sandbox.globals.clear()
    sandbox.filters = {"money": _money, "day": _day, "minute": _minute, "moment": _moment}
    return sandbox


def _all_values(kind: str, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    missing = dict.fromkeys(rules.kind_of(kind).optional)
    always = {"name": name, "shop": current().shop_name, "shop_url": current().public_url}
    return {**missing, **values, **always}


def _variables(values: Mapping[str, Any]) -> dict[str, str]:
    """What an 알림톡 template is filled with: the values as a text would write them."""
    currency = str(values.get("currency", "KRW"))
    written = {}
    for name, value in values.items():
        if name.endswith("_minor") and isinstance(value, int):
            written[name.removesuffix("_minor")] = _money(value, currency)
        elif name.endswith("_on") and isinstance(value, str):
            written[name] = _day(value)
        elif isinstance(value, str | int) and name != "currency":
            written[name] = str(value)
    return written


def _for_telephones(text: str) -> str:
    """Carriers write in EUC-KR, whose won sign is the wide one."""
    return text.replace("₩", "￦")


def _read(name: str) -> str:
    for folder in FOLDERS:
        if (file := folder / name).is_file():
            return file.read_text(encoding="utf-8")
    raise LookupError(f"no text {name}")


def _money(amount_minor: int, currency: str) -> str:
    return won(Money(amount_minor, currency))


def _day(iso: str) -> str:
    is_day = len(iso) == _DAY_LENGTH
    return kst_day(date.fromisoformat(iso) if is_day else datetime.fromisoformat(iso))


def _minute(iso: str) -> str:
    return kst_short(datetime.fromisoformat(iso))


def _moment(iso: str) -> str:
    return kst(datetime.fromisoformat(iso))
