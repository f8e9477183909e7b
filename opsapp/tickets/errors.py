from opsapp.kernel.errors import OpsError


class TicketIsResolved(OpsError):
    code = "ticket_is_resolved"
    message = "Ticket {id} is resolved already."
    remedy = "Reload the page to see by whom."


class TicketIsTaken(OpsError):
    code = "ticket_is_taken"
    message = "Somebody else works on ticket {id}."
    remedy = "Reload the page, or talk to them first."


class TicketCameAgain(OpsError):
    code = "ticket_came_again"
    message = "The same case has been opened again as another ticket."
    remedy = "Go on with the newer ticket."


class TicketsDiffer(OpsError):
    code = "tickets_differ"
    message = "Only unresolved tickets of one customer can be merged."
    remedy = "Choose another ticket of the same customer."


class TicketKeptApart(OpsError):
    code = "ticket_kept_apart"
    message = "Ticket {id} is about money of its own: it is not merged."
    remedy = "Settle it for itself."


class NobodyToWriteTo(OpsError):
    code = "nobody_to_write_to"
    message = "Ticket {id} belongs to no customer."
    remedy = "Write an internal note instead."


class CannotWorkTickets(OpsError):
    code = "cannot_work_tickets"
    http_status = 422
    message = "This person cannot work on tickets."
    remedy = "Choose somebody of the list."


class NameIsTaken(OpsError):
    code = "macro_name_is_taken"
    message = "Another macro has this name."
    remedy = "Give it another name."


class TextTooLong(OpsError):
    code = "message_too_long"
    http_status = 422
    message = "The text is longer than {limit} characters."
    remedy = "Shorten it."


class PlaceLeftOpen(OpsError):
    code = "place_left_open"
    http_status = 422
    message = "Still in braces: {places}."
    remedy = "Put the words in their place."


class UnknownPlace(OpsError):
    code = "unknown_place"
    http_status = 422
    message = "Nothing fills in {places}."
    remedy = "A macro may name {known}."


class NotForTelephones(OpsError):
    code = "message_not_for_telephones"
    http_status = 422
    message = "Telephones do not know the character {character}."
    remedy = "Leave it out."
