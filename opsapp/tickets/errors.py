from opsapp.kernel.errors import OpsError


class TicketIsResolved(OpsError):
    code = "ticket_is_resolved"
    message = "Ticket {id} is resolved already."
    remedy = "Reload the page to see by whom."


class TicketIsTaken(OpsError):
    code = "ticket_is_taken"
    message = "Somebody else works on ticket {id}."
    remedy = "Reload the page, or talk to them first."
