"""Wording: a notice's template and values become a message in the customer's language."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from opsapp.channels.base import Message
from opsapp.kernel.locale import current_locale, kst, kst_day, won
from opsapp.kernel.money import Money
from opsapp.settings import current

PACKAGE = Path(__file__).parents[1]
# Inside the package when it was installed from a wheel, beside it in a checkout.
FOLDERS = (PACKAGE / "_templates" / "mail", PACKAGE.parent / "templates" / "mail")


def compose(
    *, ref: str, kind: str, locale: str, recipient: str, name: str, values: Mapping[str, Any]
) -> Message:
    """The first line of a template is the subject. Raises TemplateError, ValueError."""
    token = current_locale.set(locale)
    try:
        template = _templates().get_template(f"{kind}.{locale}.txt")
        text = template.render(
            **values, name=name, shop=current().shop_name, shop_url=current().public_url
        )
    finally:
        current_locale.reset(token)
    subject, _, body = text.partition("\n")
    return Message(
        ref=ref,
        kind=kind,
        locale=locale,
        recipient=recipient,
        subject=subject.strip(),
        text=body.strip() + "\n",
    )


@lru_cache(maxsize=1)
def _templates() -> Environment:
    # Plain text: select_autoescape() leaves .txt as it is.
    environment = Environment(
        loader=FileSystemLoader(FOLDERS), undefined=StrictUndefined, autoescape=select_autoescape()
    )
    environment.filters |= {"money": _money, "day": _day, "moment": _moment}
    return environment


def _money(amount_minor: int, currency: str) -> str:
    return won(Money(amount_minor, currency))


def _day(iso: str) -> str:
    return kst_day(datetime.fromisoformat(iso))


def _moment(iso: str) -> str:
    return kst(datetime.fromisoformat(iso))
