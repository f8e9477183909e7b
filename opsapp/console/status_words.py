"""How a status is shown; and the statuses of points. Keys of the catalogue, no text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """`icon` is a Bootstrap icon, `tone` one of its colours."""

    text: str
    icon: str
    tone: str


POINT_RESERVATION = {
    "reserved": Word("Set aside", "hourglass-split", "info"),
    "posted": Word("Spent", "check-circle", "success"),
    "voided": Word("Given back", "arrow-counterclockwise", "secondary"),
}
POINT_ADJUSTMENT = {
    "requested": Word("Waits for a second person", "people", "warning"),
    "approved": Word("Agreed and moved", "check-circle", "success"),
    "refused": Word("Refused", "x-circle", "danger"),
    "withdrawn": Word("Withdrawn", "slash-circle", "secondary"),
}
LEG = {
    "open": Word("Not paid yet", "hourglass-split", "info"),
    "paid": Word("Paid", "check-circle", "success"),
    "released": Word("Given up", "slash-circle", "secondary"),
}
TICKET_PRIORITY = {
    "urgent": Word("Urgent", "exclamation-octagon", "danger"),
    "high": Word("High", "arrow-up", "warning"),
    "normal": Word("Normal", "dash", "secondary"),
    "low": Word("Low", "arrow-down", "secondary"),
}
