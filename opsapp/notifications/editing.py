"""Editing: an administrator puts other words in place of those that came with the program."""

from dataclasses import asdict

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record
from opsapp.notifications import previewing, queries, rules, wording
from opsapp.notifications.errors import TemplateWasChanged
from opsapp.notifications.models import NoticeTemplate
from opsapp.notifications.wording import Texts


@within_transaction
def change_texts(
    kind: str, medium: str, texts: Texts, *, because: str, seen_version: int, by: Actor
) -> int:
    """Another version, in use from now on; returns its number.

    `seen_version` is the one that the person had before their eyes, 0 for the shipped texts.
    Raises NotFound, Invalid, TextRefused, TemplateWasChanged.
    """
    reason = rules.check_reason(because)
    previewing.check(kind, medium, texts)
    versions = queries.lock_versions(kind, medium)
    present = _require_seen(versions, seen_version)
    if texts == (wording.texts_of(present) if present else wording.shipped(kind, medium)):
        raise Invalid(field="text_ko", reason="Nothing was changed.")
    if present is not None:
        present.is_active = False
        db.session.flush()  # only one version may be active
    row = asdict(texts) | {
        "kind": kind,
        "medium": medium,
        "version": max((row.version for row in versions), default=0) + 1,
        "is_active": True,
        "because": reason,
        "changed_by": str(by),
    }
    written = bulk_insert(NoticeTemplate, [row], returning=("id", "version"), or_nothing=True)
    if not written:  # somebody else's first version came between
        raise TemplateWasChanged(version=row["version"])
    [new] = written
    _record("changed", new.id, (kind, medium, new.version), reason, by=by)
    return int(new.version)


@within_transaction
def use_shipped(kind: str, medium: str, *, because: str, seen_version: int, by: Actor) -> None:
    """Back to the texts that came with the program; the versions stay to be looked at.

    Raises NotFound, Invalid, TemplateWasChanged.
    """
    reason = rules.check_reason(because)
    previewing.require_kind(kind, medium)
    present = _require_seen(queries.lock_versions(kind, medium), seen_version)
    if present is None:
        raise Invalid(field="because", reason="Nothing was changed.")
    present.is_active = False
    _record("put_back", present.id, (kind, medium, present.version), reason, by=by)


def _require_seen(versions: list[NoticeTemplate], seen: int) -> NoticeTemplate | None:
    present = next((row for row in versions if row.is_active), None)
    version = present.version if present else 0
    if version != seen:
        raise TemplateWasChanged(version=version)
    return present


def _record(did: str, row_id: int, what: tuple[str, str, int], because: str, *, by: Actor) -> None:
    kind, medium, version = what
    detail = {"kind": kind, "medium": medium, "version": version}
    entry = Entry(
        f"notice_template.{did}", "notice_template", row_id, because=because, detail=detail
    )
    record(entry, by=by)
