"""Who did it: every change of state names its actor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Printed as `kind:name`; kind is one of staff, customer, gateway, worker, timetable, cli,
    program (one of the shop's)."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"
