"""Previewing: what a text says with example values, and whether it may say it at all."""

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes

from opsapp.channels.base import Message, Outcome
from opsapp.channels.registry import channel_named
from opsapp.channels.solapi import LMS_BYTES_MAX, euc_kr_bytes
from opsapp.kernel import turns
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import Unreadable
from opsapp.kernel.db import owns_transactions, transaction
from opsapp.kernel.errors import NotFound
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.kernel.masking import mask_account, mask_name
from opsapp.notifications import addressing, delivering, queries, rules, wording
from opsapp.notifications.errors import (
    NotForTelephones,
    NotTaken,
    TextFails,
    TextMissing,
    TextNotAllowed,
    TextTooInvolved,
    TextTooLong,
    TextUnreadable,
    UnknownFilter,
    UnknownValue,
)
from opsapp.notifications.wording import Reader, Texts
from opsapp.settings import current

SUBJECT_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 10_000
TEMPLATE_REF = re.compile(r"[A-Za-z0-9_-]{0,64}")
CARRIER = "cp949"  # EUC-KR as telephones know it
CHANNEL = "email"

SAMPLES: dict[str, Any] = {
    "amount_minor": 19_900,
    "old_minor": 19_900,
    "new_minor": 22_900,
    "currency": "KRW",
    "plan": "기본 요금제",
    "title": "햇사과 5kg",
    "method_label": "현대카드 4330-12**-****-1234",
    "bank": "국민은행",
    "account": "X6505636518308",
    "at": "2026-11-22T03:00:00+00:00",
    "pay_by": "2026-11-25T14:59:00+00:00",
    "due_at": "2026-11-25T14:59:00+00:00",
    "next_try_at": "2026-11-25T01:00:00+00:00",
    "link_until": "2026-12-22T03:00:00+00:00",
    "charge_on": "2026-11-25",
    "from_on": "2026-12-25",
    "expires_on": "2026-11-30",
    "ends_on": "2026-12-22",
    "until": "2026-12-22",
    "attempt": 1,
    "attempts_max": 3,
    "left": 0,
    "points": "3,000",
    "last_on": "2026-11-30",
    "text": "문의하신 결제 건을 확인했습니다.\n자세한 내용을 안내해 드리겠습니다.",
}
_READERS = {"ko": "홍길동", "en": "Jane Doe"}

# Values, ways to write them, and conditions. No loop, no call, no attribute: nothing that could
# run long or look elsewhere.
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Filter, nodes.Const,
    nodes.If, nodes.CondExpr, nodes.Test, nodes.Not, nodes.And, nodes.Or, nodes.Compare,
    nodes.Operand,
)  # fmt: skip


def check(kind: str, medium: str, texts: Texts) -> None:
    """Raises TextRefused, its `field` naming the text, and NotFound for a kind that is none."""
    require_kind(kind, medium)
    for field, text in _parts(texts):
        limit = SUBJECT_LENGTH_MAX if field.startswith("subject") else TEXT_LENGTH_MAX
        if not text.strip():
            raise TextMissing(field=field)
        if len(text) > limit:
            raise TextTooLong(field=field, length=len(text), limit=limit)
        _check_source(kind, field, text)
        if medium == rules.SHORT:
            _check_characters(field, text)
    if not TEMPLATE_REF.fullmatch(texts.template_ref):
        raise TextTooLong(field="template_ref", length=len(texts.template_ref), limit=64)
    for locale in rules.LOCALES:
        for is_full in (True, False):
            _check_filled(kind, medium, texts, locale, is_full=is_full)


def preview(kind: str, medium: str, texts: Texts, locale: str) -> Message:
    """With example values. Raises NotFound, and TextFails for texts that `check` refuses."""
    require_kind(kind, medium)
    return _filled(kind, medium, texts, locale, is_full=True)


@owns_transactions
def send_test(kind: str, medium: str, texts: Texts, *, address: str, by: Actor) -> None:
    """By e-mail to the person who asks, in both languages. Raises NotTaken, NotFound."""
    shown = [preview(kind, medium, texts, locale) for locale in rules.LOCALES]
    message = Message(
        ref=new_ref("test"),
        kind=kind,
        locale="ko",
        recipient=address,
        subject=f"[TEST] {shown[0].subject}",
        text="\n----------\n\n".join(f"{each.subject}\n\n{each.text}" for each in shown),
    )
    channel = channel_named(CHANNEL)
    try:
        receipt = turns.ask_in_person(
            CHANNEL, lambda: channel.send(message), connected=channel.connected
        )
    except TimeoutError as late:
        raise NotTaken from late
    is_taken = receipt.outcome is Outcome.ACCEPTED
    with transaction():
        record(
            Entry(
                "notice_template.tested",
                "notice_template",
                0,
                because=receipt.because,
                succeeded=is_taken,
                detail={"kind": kind, "medium": medium},
            ),
            by=by,
        )
    if not is_taken:
        raise NotTaken


def show_masked(row: Any) -> Message | None:
    """What a notice says, as staff may see it; None where it cannot be worded any more.

    `row` carries kind, channel, place, values and the customer's name and locale. Its links are
    made only when it is sent: none is shown.
    """
    medium = rules.medium_of(row.channel or _next_channel(row))
    edited = queries.list_active_texts({(row.kind, medium)}).get((row.kind, medium))
    try:
        values = delivering.readable(row.values)
        if "account" in values:
            values = values | {"account": mask_account(values["account"])}
        return wording.compose(
            ref="",
            kind=row.kind,
            medium=medium,
            reader=Reader("", mask_name(row.customer_name), row.locale),
            values=values | _link_values(row.kind, "***"),
            texts=wording.texts_of(edited) if edited else None,
        )
    except (TemplateError, Unreadable, LookupError, TypeError, ValueError):
        return None


def require_kind(kind: str, medium: str) -> None:
    if kind not in rules.KINDS or medium not in (rules.EMAIL, rules.SHORT):
        raise NotFound(noun="notice text", id=f"{kind}/{medium}")


def sample_values(kind: str, *, is_full: bool = True) -> dict[str, Any]:
    """Example values, without the optional ones where not `is_full`."""
    known = rules.kind_of(kind)
    names = (*known.variables, *(known.optional if is_full else ()))
    values = {name: SAMPLES[name] for name in names}
    return values | _link_values(kind, "x" * 43)


def _next_channel(row: Any) -> str:
    place = rules.find_place(row.kind, row.place, addressing.list_connected())
    return CHANNEL if place is None else rules.kind_of(row.kind).order[place]


def _link_values(kind: str, token: str) -> dict[str, str]:
    page = rules.LINKED.get(kind)
    if page is None:
        return {}
    link = f"{current().public_url}{page.path}{token}"
    return {"link": link, "link_until": SAMPLES["link_until"]}


def _parts(texts: Texts) -> Iterator[tuple[str, str]]:
    named = asdict(texts)
    yield from ((name, named[name]) for name in named if name != "template_ref")


def _check_source(kind: str, field: str, text: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.replace("\t", "").isprintable():
            raise TextNotAllowed(field=field, line=number)
    sandbox = wording.environment()
    try:
        tree = sandbox.parse(text)
        found = list(_nodes(tree))
    except TemplateSyntaxError as error:
        raise TextUnreadable(field=field, line=error.lineno) from error
    except (RecursionError, ValueError) as error:  # braces without end, digits without end
        raise TextTooInvolved(field=field) from error
    for node in found:
        if isinstance(node, nodes.Filter) and node.name not in sandbox.filters:
            raise UnknownFilter(field=field, name=node.name, known=", ".join(sandbox.filters))
        if isinstance(node, nodes.Test) and node.name not in ("defined", "none"):
            raise TextNotAllowed(field=field, line=node.lineno)
        if not isinstance(node, _ALLOWED):
            raise TextNotAllowed(field=field, line=node.lineno)
        known = rules.variables_of(kind)
        if isinstance(node, nodes.Name) and node.name not in known:
            raise UnknownValue(field=field, name=node.name, known=", ".join(known))


def _nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _nodes(child)


def _check_characters(field: str, text: str) -> None:
    strange = [character for character in text if not _is_for_telephones(character)]
    if strange:
        raise NotForTelephones(field=field, character=strange[0])


def _is_for_telephones(character: str) -> bool:
    try:
        character.encode(CARRIER)
    except UnicodeEncodeError:
        return False
    return True


def _check_filled(kind: str, medium: str, texts: Texts, locale: str, *, is_full: bool) -> None:
    message = _filled(kind, medium, texts, locale, is_full=is_full)
    for name, said in (("subject", message.subject), ("text", message.text)):
        if not said.strip():
            raise TextMissing(field=f"{name}_{locale}")
    size = euc_kr_bytes(message.text)
    if medium == rules.SHORT and size > LMS_BYTES_MAX:
        raise TextTooLong(field=f"text_{locale}", length=size, limit=LMS_BYTES_MAX)


def _filled(kind: str, medium: str, texts: Texts, locale: str, *, is_full: bool) -> Message:
    try:
        return wording.compose(
            ref="preview",
            kind=kind,
            medium=medium,
            reader=Reader("", _READERS[locale], locale),
            values=sample_values(kind, is_full=is_full),
            texts=replace(texts),
        )
    except (RecursionError, SyntaxError) as error:
        raise TextTooInvolved(field=f"text_{locale}") from error
    except (TemplateError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise TextFails(field=f"text_{locale}") from error
