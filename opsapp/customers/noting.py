"""Noting: what staff write down about a customer, for whoever has the case next."""

from dataclasses import dataclass

from opsapp.customers.models import StaffNote
from opsapp.kernel import clock, crypto
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record

TEXT_LENGTH_MAX = 1000
REQUEST_ID_LENGTH = range(8, 101)
SUBJECTS = ("customer", "payment", "subscription")


@dataclass(frozen=True, slots=True)
class NewNote:
    """`request_id` comes with the form: sent twice, it is one note."""

    request_id: str
    customer_id: int
    subject_type: str  # one of SUBJECTS
    subject_id: int
    text: str


@within_transaction
def write_note(note: NewNote, *, by: Actor) -> None:
    """The log holds that a note was written, not what it says. Raises Invalid."""
    if len(note.request_id) not in REQUEST_ID_LENGTH or not note.request_id.isascii():
        raise Invalid(field="request_id", reason="Load the page again.")
    text = note.text.strip()
    if not 1 <= len(text) <= TEXT_LENGTH_MAX:
        raise Invalid(field="text", reason="Write a note of 1 to 1,000 characters.")
    written = bulk_insert(
        StaffNote,
        [
            {
                "request_id": note.request_id,
                "customer_id": note.customer_id,
                "subject_type": note.subject_type,
                "subject_id": note.subject_id,
                "text_sealed": crypto.seal(text, context=_context(note.request_id)),
                "written_by": str(by),
                "written_at": clock.now(),
            }
        ],
        returning=("id",),
        or_nothing=True,
    )
    if written:
        record(Entry("note.written", note.subject_type, note.subject_id), by=by)


def read_text(sealed: bytes, request_id: str) -> str:
    """Raises Unreadable."""
    return crypto.unseal(sealed, context=_context(request_id))


def _context(request_id: str) -> str:
    return f"staff_notes.text|{request_id}"
