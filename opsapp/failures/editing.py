"""Editing: an administrator says what a code means. Each change is another version."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func

from opsapp.failures import queries, rules
from opsapp.failures.errors import CodeIsKnown, CodeWasChanged
from opsapp.failures.events import CodesMapped, UnmappedFact
from opsapp.failures.models import FailureCode
from opsapp.failures.rules import Wording
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.events import announce
from opsapp.kernel.log import Entry, record


@dataclass(frozen=True, slots=True)
class CodeEdit:
    """What a code shall mean. Class, retry mode and outcome follow from the subclass.

    `typed_code`: the code typed once more, asked for when it shall count as certainly not charged
    and did not before.
    """

    subclass: str
    wording: Wording
    because: str
    typed_code: str = ""


@within_transaction
def change_code(code_id: int, edit: CodeEdit, *, seen_version: int, by: Actor) -> int:
    """Another version of the code; returns its id.

    `seen_version` is what the person had before their eyes. Raises NotFound, Invalid,
    CodeWasChanged.
    """
    dictionary = queries.lock_dictionary()
    present = queries.list_versions(code_id)[0]
    if present.version != seen_version:
        raise CodeWasChanged(version=present.version)
    wanted = _row(present.source, present.code, edit)
    changes = rules.differences(present, wanted)
    if not changes:
        raise Invalid(field="subclass", reason="Nothing was changed.")
    is_dangerous = rules.is_dangerous(present.outcome, wanted.outcome)
    if is_dangerous:
        rules.check_confirmed(present.code, edit.typed_code)
    present.is_current = False
    db.session.flush()  # only one version may be current
    wanted.version, wanted.changed_by = present.version + 1, str(by)
    wanted.provenance, wanted.note = present.provenance, present.note
    detail = {"fields": ", ".join(name for name, _, _ in changes)}
    if present.outcome != wanted.outcome:
        detail |= {"from_outcome": present.outcome, "to_outcome": wanted.outcome}
    return _write(wanted, dictionary, "changed", detail, is_dangerous=is_dangerous, by=by)


@within_transaction
def add_code(unmapped_id: int, edit: CodeEdit, *, by: Actor) -> int:
    """The first version of a code that a gateway has answered; returns its id.

    It leaves the review list. Raises NotFound, Invalid, CodeIsKnown.
    """
    dictionary = queries.lock_dictionary()
    unmapped = queries.lock_unmapped(unmapped_id)
    source, code = unmapped.source, unmapped.code
    if queries.find_current(source, code) is not None:
        raise CodeIsKnown(source=source, code=code)
    wanted = _row(source, code, edit)
    is_dangerous = rules.is_dangerous(None, wanted.outcome)
    if is_dangerous:
        rules.check_confirmed(code, edit.typed_code)
    wanted.version, wanted.changed_by = 1, str(by)
    wanted.provenance, wanted.note = "-", ""
    unmapped.resolved_at = clock.now()
    detail = {"to_outcome": wanted.outcome}
    added = _write(wanted, dictionary, "added", detail, is_dangerous=is_dangerous, by=by)
    announce(CodesMapped((UnmappedFact(unmapped.id, source, code),)))
    return added


def _row(source: str, code: str, edit: CodeEdit) -> FailureCode:
    meaning, wording = rules.find_meaning(edit.subclass), edit.wording
    return FailureCode(
        source=source,
        code=code,
        is_current=True,
        failure_class=meaning.failure_class,
        subclass=edit.subclass,
        retry_mode=meaning.retry_mode,
        outcome=meaning.outcome,
        hint_ko=wording.hint_ko,
        hint_en=wording.hint_en,
        script_ko=wording.script_ko,
        script_en=wording.script_en,
        because=rules.check_reason(edit.because),
    )


def _write(
    wanted: FailureCode,
    dictionary: Any,
    did: str,
    detail: dict[str, str],
    *,
    is_dangerous: bool,
    by: Actor,
) -> int:
    """The version, the revision that tells every process to read again, and the log."""
    db.session.add(wanted)
    dictionary.revised_at = func.clock_timestamp()
    db.session.flush()
    record(
        Entry(
            "failure_code.declared_not_charged" if is_dangerous else f"failure_code.{did}",
            "failure_code",
            wanted.id,
            because=wanted.because,
            detail={"source": wanted.source, "code": wanted.code, "version": wanted.version}
            | detail,
        ),
        by=by,
    )
    return wanted.id
