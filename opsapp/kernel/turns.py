"""Take turns on rows that need another company's answer: claim, call, record.

One id or thousands, the walk is the same: claim in a short transaction, wait on one event loop
with no transaction open, record in a short transaction. Claims and results travel in batches as
large as what happens to be ready, so a single charge costs two commits and a full chunk far fewer
per row. A worker that dies or freezes leaves rows in flight; when the lease ends they are
claimable again, under a higher fence, and the answer of the earlier turn is discarded.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from threading import BoundedSemaphore
from time import monotonic
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import (
    ColumnElement,
    Computed,
    Executable,
    Index,
    Select,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from opsapp.kernel import loops
from opsapp.kernel.db import (
    db,
    execute_plain,
    locked,
    once,
    require_no_transaction,
    transaction,
    within_transaction,
)
from opsapp.kernel.jobs import Job
from opsapp.settings import current

log = structlog.get_logger(__name__)

C = TypeVar("C")
A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")

LINGER_S = 0.01  # after the first answer, wait this long for its neighbours
_WORTH_ANOTHER_TRY = ("40P01", "40001")  # deadlock detected, serialization failure
RECORD_MAX = 500  # answers written in one transaction
IN_PERSON_S = 10.0  # nobody looks at an empty page for longer
IN_PERSON_MAX = 2  # of the few threads of one web process
PLACE_PATIENCE_S = 0.5

_places: dict[str, BoundedSemaphore] = {}


class Claimable:
    """Columns of a row that workers take turns on.

    Two clocks, never mixed: `due_at` is business time, leases are the database's own clock.
    """

    # Grows by one with each claim; an answer is recorded only under the fence it was asked with.
    fence: Mapped[int] = mapped_column(server_default="0")
    # Turns that reached the other company; taken back when nothing was sent.
    turns: Mapped[int] = mapped_column(server_default="0")
    # Turns in a row that reached nobody: they lengthen the wait and use up nothing.
    misses: Mapped[int] = mapped_column(server_default="0")
    # Nobody may claim it before: the planned time, or the back-off.
    due_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    # Held by a worker until then; NULL when nobody holds it.
    leased_until: Mapped[datetime | None]
    # When a wake-up for it last went out; NULL asks for one at the next round.
    hinted_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Work:
    """A claimable table as the relay sees it: which rows are open, and which job does them."""

    model: type[Any]
    open: tuple[StrEnum, ...]
    job: Job
    argument: str  # the job's one argument: a list of ids
    lane: str = ""  # the column whose value parts its rows into queues

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)


Place = tuple[Work, str]  # and the lane, "" where there are none


@dataclass(frozen=True, slots=True)
class Steps(Generic[C, A]):
    """The three parts of a turn. `call` is the only one that may wait; it must not raise."""

    claim: Callable[[Sequence[int]], Sequence[C]]
    call: Callable[[C], Awaitable[A]]
    record: Callable[[Sequence[tuple[C, A]]], None]
    connected: Callable[[], AbstractAsyncContextManager[None]]


def open_column(open_statuses: Sequence[StrEnum]) -> MappedColumn[bool]:
    """`is_open` for a table of which thousands of rows are claimed at a time.

    An index that names `status` is written for each claim; one that names this only when a row
    is opened and when it is done with.
    """
    return mapped_column(Computed(_among(open_statuses), persisted=True))


def due_index(table: str, open_statuses: Sequence[StrEnum] = ()) -> Index:
    """The partial index behind claims, waking and the question what is left to do.

    Without statuses, of a table with an `open_column`.
    """
    condition = _among(open_statuses) if open_statuses else "is_open"
    return Index(f"{table}_due", "due_at", "id", postgresql_where=text(condition))


def is_open(row: type[Any], open_statuses: Sequence[str]) -> ColumnElement[bool]:
    """Rows that still want turns, asked for in the words of the table's due index."""
    if hasattr(row, "is_open"):
        own: ColumnElement[bool] = row.is_open
        return own
    return row.status.in_([str(status) for status in open_statuses]) if open_statuses else false()


def is_claimable(row: type[Claimable]) -> ColumnElement[bool]:
    return and_(row.due_at <= once(func.ops_now()), is_free(row))


def is_free(row: type[Claimable]) -> ColumnElement[bool]:
    now = once(func.clock_timestamp())
    return or_(row.leased_until.is_(None), row.leased_until <= now)


@within_transaction
def wake(work: Work, *, rows_max: int, lane: str = "") -> int:
    """Order one job per chunk of due rows without a fresh hint; returns how many rows.

    Where the work has lanes, in one of them: no lane's backlog keeps another one waiting.

    The only maker of chunks and the only re-sender of hints: a billing run, a retry planned for
    tomorrow, a lease that ran out and a hint that Redis lost all pass through here.
    """
    size = current().chunk_size
    ids = sorted(_lock_unhinted(work, lane, limit=rows_max))
    for start in range(0, len(ids), size):
        work.job.enqueue(lane=lane, **{work.argument: ids[start : start + size]})
    return len(ids)


@within_transaction
def find_wanting(places: tuple[Place, ...]) -> list[Place]:
    """Where `wake` would find rows. One statement for all: the relay asks many times a second."""
    if not places:
        return []
    asked = _wanting(places, current().rehint_after_s)
    found = db.session.execute(asked).one()
    return [place for place, wants in zip(places, found, strict=True) if wants]


@within_transaction
def forget_hints(work: Work) -> None:
    """Redis was emptied: every hint that is out may be lost, so give all of them again."""
    row = work.model
    db.session.execute(
        update(row).where(_is_open(work), row.hinted_at.is_not(None)).values(hinted_at=None)
    )


@dataclass(frozen=True, slots=True)
class Backlog:
    """`due`: rows that want a turn now, held by a worker or not; the oldest that nobody holds."""

    name: str
    due: int
    oldest_due_at: datetime | None


def list_backlog(works: Sequence[Work]) -> list[Backlog]:
    """One statement for all tables, in their order."""
    told = union_all(*(_backlog(place, work) for place, work in enumerate(works))).subquery()
    rows = db.session.execute(select(told).order_by(told.c.place))
    return [Backlog(works[row.place].name, row.due, row.oldest) for row in rows]


def take_turns(ids: Sequence[int], steps: Steps[C, A], *, abreast: int, budget_s: float) -> None:
    """Give each id one turn, at most `abreast` at a time; claim nothing new after the budget."""
    require_no_transaction()
    walk = _walk(deque(ids), steps, abreast, monotonic() + budget_s)
    loops.run(walk)


def ask(
    question: Callable[[], Awaitable[A]],
    *,
    connected: Callable[[], AbstractAsyncContextManager[None]],
) -> A:
    """Wait for one question to another company that changes nothing there."""
    require_no_transaction()

    async def answered() -> A:
        async with connected():
            return await question()

    return loops.run_apart(answered())


def ask_in_person(
    company: str,
    question: Callable[[], Awaitable[A]],
    *,
    connected: Callable[[], AbstractAsyncContextManager[None]],
) -> A:
    """`ask` while somebody waits at a screen, and a thread of the web server with them.

    A company that hangs holds a few threads for a moment, never all: webhooks, staff and whoever
    pays elsewhere come in there too. Raises TimeoutError.
    """
    place = _places.setdefault(company, BoundedSemaphore(IN_PERSON_MAX))
    if not place.acquire(timeout=PLACE_PATIENCE_S):
        raise TimeoutError

    async def in_time() -> A:
        async with asyncio.timeout(IN_PERSON_S):
            return await question()

    try:
        return ask(in_time, connected=connected)
    finally:
        place.release()


async def _walk(
    waiting: deque[int], steps: Steps[C, A], abreast: int, stop_claiming_at: float
) -> None:
    desk: _Desk[C, A] = _Desk(steps)
    async with steps.connected():
        while desk.running or (waiting and monotonic() < stop_claiming_at):
            free = min(abreast - desk.running, len(waiting))
            # A claim per freed place would be a commit per charge: wait for a handful.
            is_worth_it = free == len(waiting) or free * 4 >= abreast
            if free and is_worth_it and monotonic() < stop_claiming_at:
                batch = [waiting.popleft() for _ in range(free)]
                claims = _together(lambda part: list(steps.claim(part)), batch)
                desk.send(claims)
            if desk.running:
                answers = await desk.gather()
                _together(_giving_nothing(steps.record), answers)


class _Desk(Generic[C, A]):
    """Calls that are out, and the answers that have come back since the last record."""

    def __init__(self, steps: Steps[C, A]) -> None:
        self._steps = steps
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: deque[tuple[C, A]] = deque()
        self._news = asyncio.Event()
        self.running = 0

    def send(self, claims: Sequence[C]) -> None:
        require_no_transaction()
        for claimed in claims:
            task = asyncio.ensure_future(self._call(claimed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.running += len(claims)

    async def gather(self) -> list[tuple[C, A]]:
        if not self._answers:
            self._news.clear()
            await self._news.wait()
            if self.running > len(self._answers):
                await asyncio.sleep(LINGER_S)
        count = min(len(self._answers), RECORD_MAX)
        self.running -= count
        return [self._answers.popleft() for _ in range(count)]

    async def _call(self, claimed: C) -> None:
        try:
            self._answers.append((claimed, await self._steps.call(claimed)))
        except BaseException:  # a cancelled call is one too: its place must be given back
            # Nothing is known, so nothing is recorded: the lease ends and the next turn asks.
            self.running -= 1
            log.exception("turns.call_failed")
            raise
        finally:
            self._news.set()


def _giving_nothing(record: Callable[[Sequence[T]], None]) -> Callable[[Sequence[T]], list[None]]:
    def recorded(part: Sequence[T]) -> list[None]:
        record(part)
        return []

    return recorded


def _together(write: Callable[[Sequence[T]], list[R]], batch: Sequence[T]) -> list[R]:
    """One transaction for the batch; if a member is poisonous, let it not spoil its neighbours."""
    if not batch:
        return []
    try:
        with transaction():
            return list(write(batch))
    except Exception as error:
        if _is_database_away(error):
            # Nobody's fault in this batch. Unclaimed rows stay due, claimed ones keep their
            # lease, and both come round again.
            log.exception("turns.database_away", rows=len(batch))
            return []
        if len(batch) == 1:
            log.exception("turns.poisonous")
            return []
    return [result for one in batch for result in _together(write, [one])]


def _is_database_away(error: Exception) -> bool:
    """A lost deadlock is no outage: PostgreSQL ended one of two batches, which goes again."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    return getattr(error.orig, "sqlstate", None) not in _WORTH_ANOTHER_TRY


def _backlog(place: int, work: Work) -> Select[*tuple[Any, ...]]:
    row = work.model
    wants = or_(row.due_at <= func.ops_now(), row.leased_until.is_not(None))
    return select(
        literal(place).label("place"),
        func.count().filter(wants).label("due"),
        func.min(row.due_at).filter(is_claimable(row)).label("oldest"),
    ).where(_is_open(work))


@lru_cache(maxsize=64)
def _wanting(places: tuple[Place, ...], stale_after_s: float) -> Select[*tuple[Any, ...]]:
    return select(*[exists().where(_is_unhinted(*place, stale_after_s)) for place in places])


def _is_unhinted(work: Work, lane: str, stale_after_s: float) -> ColumnElement[bool]:
    if bool(work.lane) != bool(lane):
        raise ValueError(f"{work.name}: a lane is named exactly where there are lanes")
    row = work.model
    stale = once(func.clock_timestamp() - timedelta(seconds=stale_after_s))
    hint = or_(row.hinted_at.is_(None), row.hinted_at < row.leased_until, row.hinted_at < stale)
    return and_(_is_open(work), is_claimable(row), hint, _is_in(work, lane))


def _lock_unhinted(work: Work, lane: str, *, limit: int) -> list[int]:
    marking = _lock_and_mark(work, lane, current().rehint_after_s)
    return list(execute_plain(marking, {"most": limit}).scalars())


@lru_cache(maxsize=64)
def _lock_and_mark(work: Work, lane: str, stale_after_s: float) -> Executable:
    row = work.model
    due = select(row.id).where(_is_unhinted(work, lane, stale_after_s))
    first = due.order_by(row.due_at, row.id).limit(bindparam("most"))
    # As a CTE, so that no plan can ask for the rows twice and mark more of them than its limit.
    held = locked(first, skip=True).cte("held")
    marked = update(row).where(row.id == held.c.id)
    return marked.values(hinted_at=once(func.clock_timestamp())).returning(row.id)


def _is_in(work: Work, lane: str) -> ColumnElement[bool]:
    return getattr(work.model, work.lane) == lane if lane else true()


def _is_open(work: Work) -> ColumnElement[bool]:
    return is_open(work.model, work.open)


def _among(statuses: Sequence[StrEnum]) -> str:
    names = ", ".join(f"'{status}'" for status in statuses)
    return f"status IN ({names})"
