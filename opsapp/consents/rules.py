"""Which facts a text must name, and how text and facts become the words that were agreed to."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address, ip_network
from typing import Any

from opsapp.consents.errors import MissingVariable, UnknownVariable
from opsapp.kernel.errors import Invalid
from opsapp.kernel.locale import current_locale, won
from opsapp.kernel.money import Money

KINDS = ("recurring_payment", "price_change", "trial_to_paid", "privacy")
CHANNELS = ("checkout", "link", "staff", "import")

TITLE_LENGTH_MAX = 100
TEXT_LENGTH_MAX = 8000
BECAUSE_LENGTH_MAX = 200

# By kind: the variables a text may use; those it must use are what the law wants to be said
# (Act on Consumer Protection in Electronic Commerce, article 13: amount, cycle, when, how to stop).
VARIABLES: dict[str, frozenset[str]] = {
    "recurring_payment": frozenset({"shop", "plan", "amount", "cycle", "first_on", "method"}),
    "price_change": frozenset(
        {"shop", "plan", "old_amount", "new_amount", "cycle", "from_on", "method"}
    ),
    "trial_to_paid": frozenset({"shop", "plan", "amount", "cycle", "first_on", "method"}),
    "privacy": frozenset({"shop"}),
}
NEEDED: dict[str, frozenset[str]] = {
    "recurring_payment": frozenset({"amount", "cycle", "first_on"}),
    "price_change": frozenset({"old_amount", "new_amount", "from_on"}),
    "trial_to_paid": frozenset({"amount", "cycle", "first_on"}),
    "privacy": frozenset(),
}
_CYCLES = {
    "ko": {
        "day": ("매일", "{}일마다"),
        "week": ("매주", "{}주마다"),
        "month": ("매월", "{}개월마다"),
    },
    "en": {
        "day": ("every day", "every {} days"),
        "week": ("every week", "every {} weeks"),
        "month": ("every month", "every {} months"),
    },
}
_NO_METHOD = {"ko": "등록한 결제수단", "en": "the payment method on file"}
_VARIABLE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """Titles and texts in both languages, with variables such as {amount}."""

    title_ko: str
    text_ko: str
    title_en: str
    text_en: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A text with its facts filled in: these letters are what is agreed to."""

    title: str
    text: str

    @property
    def hash(self) -> str:
        return hash_of(self.title, self.text)


def hash_of(title: str, text: str) -> str:
    """SHA-256 in hex of title, an empty line and text, in UTF-8."""
    return hashlib.sha256(f"{title}\n\n{text}".encode()).hexdigest()


def check_wording(kind: str, wording: Wording) -> Wording:
    """Its line ends made one kind. Raises Invalid, UnknownVariable, MissingVariable."""
    known, needed = VARIABLES[kind], NEEDED[kind]
    checked: dict[str, str] = {}
    for name, most in (
        ("title_ko", TITLE_LENGTH_MAX), ("text_ko", TEXT_LENGTH_MAX),
        ("title_en", TITLE_LENGTH_MAX), ("text_en", TEXT_LENGTH_MAX),
    ):  # fmt: skip
        text = getattr(wording, name).replace("\r\n", "\n").strip()
        if not text:
            raise Invalid(field=name, reason="Fill this in.")
        if len(text) > most:
            raise Invalid(field=name, reason="This is too long.")
        used = set(_VARIABLE.findall(text))
        if strange := sorted(used - known):
            names = ", ".join(_in_braces(each) for each in sorted(known))
            raise UnknownVariable(field=name, variable=_in_braces(strange[0]), known=names)
        if name.startswith("text") and (missing := sorted(needed - used)):
            raise MissingVariable(field=name, variable=_in_braces(missing[0]))
        checked[name] = text
    return Wording(**checked)


def check_reason(because: str) -> str:
    """Raises Invalid."""
    reason = " ".join(because.split())
    if not 3 <= len(reason) <= BECAUSE_LENGTH_MAX:
        raise Invalid(field="because", reason="Say why, in 3 to 200 characters.")
    return reason


def check_effective_from(day: date, *, today: date) -> date:
    """Raises Invalid: what was shown yesterday is what was agreed to yesterday."""
    if day < today:
        raise Invalid(field="effective_from", reason="Choose today or a later day.")
    return day


def fill_in(title: str, text: str, facts: Mapping[str, Any], *, locale: str) -> Shown:
    """The same facts give the same letters for ever: the hash can be checked years later.

    Facts are plain: `amount_minor`, `old_minor`, `new_minor` in `currency`; `interval`,
    `interval_count`; days in ISO form; `plan`, `method`, `shop`. Raises KeyError for a fact that
    the text names and nobody gave.
    """
    named = _named(facts, locale)

    def value(found: re.Match[str]) -> str:
        return str(named[found[1]])

    return Shown(_VARIABLE.sub(value, title), _VARIABLE.sub(value, text))


def mask_address(address: str) -> str:
    """203.0.113.7 -> 203.0.113.0/24: the network, not the person in it."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    return str(ip_network((known, 24 if known.version == 4 else 48), strict=False))


def _in_braces(name: str) -> str:
    return f"{{{name}}}"


def _named(facts: Mapping[str, Any], locale: str) -> dict[str, str]:
    named = {name: facts[name] for name in ("shop", "plan", "first_on", "from_on") if name in facts}
    named["method"] = facts.get("method") or _NO_METHOD[locale]
    if "interval" in facts:
        one, many = _CYCLES[locale][facts["interval"]]
        count = facts["interval_count"]
        named["cycle"] = one if count == 1 else many.format(count)
    token = current_locale.set(locale)
    try:
        for name, fact in (
            ("amount", "amount_minor"), ("old_amount", "old_minor"), ("new_amount", "new_minor"),
        ):  # fmt: skip
            if fact in facts:
                named[name] = won(Money(facts[fact], facts["currency"]))
    finally:
        current_locale.reset(token)
    return named
