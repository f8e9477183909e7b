"""Editing macros: the texts that staff begin a message with, in both languages."""

from dataclasses import dataclass

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.tickets import queries, rules
from opsapp.tickets.errors import NameIsTaken
from opsapp.tickets.models import TicketMacro

SUBJECT = "ticket_macro"


@dataclass(frozen=True, slots=True)
class MacroWish:
    """Raises Invalid, TextTooLong, UnknownPlace when `checked`."""

    name: str
    text_ko: str
    text_en: str

    def checked(self) -> "MacroWish":
        return MacroWish(
            rules.check_macro_name(self.name),
            rules.check_macro(self.text_ko, field="text_ko"),
            rules.check_macro(self.text_en, field="text_en"),
        )


@within_transaction
def add(wish: MacroWish, *, by: Actor) -> int:
    """Raises what MacroWish raises, and NameIsTaken."""
    wish = wish.checked()
    rows = bulk_insert(
        TicketMacro,
        [
            {
                "name": wish.name,
                "text_ko": wish.text_ko,
                "text_en": wish.text_en,
                "changed_by": str(by),
            }
        ],
        returning=("id",),
        or_nothing=True,
    )
    if not rows:
        raise NameIsTaken(field="name")
    macro_id = int(rows[0].id)
    record(Entry("ticket_macro.added", SUBJECT, macro_id, because=wish.name), by=by)
    return macro_id


@within_transaction
def change(macro_id: int, wish: MacroWish, *, by: Actor) -> None:
    """Raises what MacroWish raises, NotFound, NameIsTaken."""
    wish = wish.checked()
    macro = queries.lock_macro(macro_id)
    namesake = queries.find_macro_named(wish.name)
    if namesake is not None and namesake.id != macro_id:
        raise NameIsTaken(field="name")
    macro.name, macro.text_ko, macro.text_en = wish.name, wish.text_ko, wish.text_en
    macro.changed_by, macro.changed_at = str(by), clock.now()
    record(Entry("ticket_macro.changed", SUBJECT, macro_id, because=wish.name), by=by)


@within_transaction
def set_active(macro_id: int, *, is_active: bool, by: Actor) -> None:
    """Raises NotFound."""
    macro = queries.lock_macro(macro_id)
    if macro.is_active == is_active:
        return
    macro.is_active, macro.changed_by, macro.changed_at = is_active, str(by), clock.now()
    action = "ticket_macro.restored" if is_active else "ticket_macro.retired"
    record(Entry(action, SUBJECT, macro_id, because=macro.name), by=by)
