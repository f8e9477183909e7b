"""Gather what threads of one process ask for at the same moment, and do it in one go.

Nobody waits for company that may not come: one caller at a time does its own wish and those of all
who came meanwhile. Only where the last round had company does the next one linger for more.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Generic, TypeVar

import structlog

from opsapp.kernel.db import require_no_transaction
from opsapp.kernel.errors import OpsError

log = structlog.get_logger(__name__)

W = TypeVar("W")
R = TypeVar("R")

LINGER_S = 0.02


@dataclass(slots=True, eq=False)
class _Ticket(Generic[W, R]):
    wish: W
    answer: R | None = None
    is_done: bool = False


class Gathering(Generic[W, R]):
    """`do` gets wishes that are `alike` and gives back an answer for each, None where it has none.

    It is called by one thread at a time.
    """

    def __init__(
        self,
        do: Callable[[Sequence[W]], Sequence[R | None]],
        *,
        alike: Callable[[W], Hashable],
        at_most: int,
    ) -> None:
        self._do, self._alike, self._at_most = do, alike, at_most
        self._desk = Condition()
        self._waiting: list[_Ticket[W, R]] = []
        self._is_taken = self._had_company = False

    def ask(self, wish: W) -> R | None:
        """None: nothing was done of it, and the caller does it alone.

        So it is after any fault of any wish that was done with it: whose fault it was shows then.
        """
        require_no_transaction()
        ticket: _Ticket[W, R] = _Ticket(wish)
        with self._desk:
            self._waiting.append(ticket)
            self._desk.wait_for(lambda: ticket.is_done or not self._is_taken)
            if ticket.is_done:
                return ticket.answer
            self._is_taken = True
        try:
            if self._had_company:
                time.sleep(LINGER_S)
            while not ticket.is_done:
                self._serve(self._take(wish))
        finally:
            with self._desk:
                self._is_taken = False
                self._desk.notify_all()
        return ticket.answer

    def _take(self, wish: W) -> list[_Ticket[W, R]]:
        """The longest waiting first; the caller's own is among them sooner or later."""
        kind = self._alike(wish)
        with self._desk:
            taken = [t for t in self._waiting if self._alike(t.wish) == kind][: self._at_most]
            self._waiting = [t for t in self._waiting if t not in taken]
        self._had_company = len(taken) > 1
        return taken

    def _serve(self, tickets: Sequence[_Ticket[W, R]]) -> None:
        try:
            answers = self._do([ticket.wish for ticket in tickets])
            for ticket, answer in zip(tickets, answers, strict=True):
                ticket.answer = answer
        except OpsError:
            pass
        except Exception:
            log.warning("gathering.undone", wishes=len(tickets), exc_info=True)
        finally:
            for ticket in tickets:
                ticket.is_done = True
