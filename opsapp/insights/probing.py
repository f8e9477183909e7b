"""Run the invariants I1 to I12: every figure must be 0, and each violation names its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Select, func, literal, select, union_all

from opsapp.audit import verifying
from opsapp.insights import (
    probing_books,
    probing_deposits,
    probing_log,
    probing_money,
    probing_notices,
    probing_orders,
    probing_points,
    probing_secrets,
)
from opsapp.kernel.db import db, owns_transactions, transaction
from opsapp.payments import comparing
from opsapp.settings import current

EXAMPLES_MAX = 5

NAMES = {
    "I1": "captures at the gateway differ from what was expected",
    "I2": "captured at the gateway and not here, or here and not there",
    "I3": "due and not under way",
    "I4": "refunds beyond the capture, or other than at the gateway",
    "I5": "ledger and payments disagree",
    "I6": "points disagree",
    "I7": "deposits and virtual accounts disagree",
    "I8": "state changes, log, seals and anchors disagree",
    "I9": "automatic charges that were not announced in time",
    "I10": "repeated failures without one ticket, or charges while suspended",
    "I11": "answers accepted under a stale fence",
    "I12": "card numbers where none may stand",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One invariant: how often it is violated, and at most EXAMPLES_MAX sentences."""

    id: str
    name: str
    violations: int
    examples: tuple[str, ...]
    note: str = ""


@owns_transactions
def run_probes(*, logs_dir: Path | None = None) -> list[Row]:
    """Ask the database, the gateway's books, Redis and the logs, if their folder is known.

    Raises what keeps an answer from being known, never a false zero: payments.errors.BooksUnread
    and kernel.jobs.RedisAway.
    """
    differences = comparing.compare_with_gateway()
    log = verifying.verify(anchors_dir=current().anchors_dir)
    seals = [f"{log.finding.place}: {log.finding.because}"] if log.finding else []
    found = {
        "I1": _listed([*differences.doubled, *differences.amounts]),
        "I2": _listed([*differences.missing_here, *differences.missing_there]),
        "I12": _listed(probing_secrets.find_card_numbers(logs_dir)),
    }
    with transaction():
        asked = _ask(
            {
                "I1": probing_orders.legs(),
                "I3": probing_money.unfinished(),
                "I4": probing_money.refunds(),
                "I5": probing_books.books(),
                "I6": probing_points.points(),
                "I7": probing_deposits.deposits(),
                "I8": probing_log.state_changes(),
                "I9": probing_notices.unannounced_charges(),
                "I10": probing_log.repeated_failures(),
                "I11": probing_log.stale_fences(),
            }
        )
    found |= asked | {
        "I1": _joined(found["I1"], asked["I1"]),
        "I4": _joined(_listed(differences.refunds), asked["I4"]),
        "I8": _joined(_listed(seals), asked["I8"]),
    }
    notes = {
        "I1": f"{differences.compared} orders compared",
        "I8": f"{log.entry_count} sealed entries, {log.anchor_count} anchors",
    }
    return [
        Row(number, name, *found.get(number, (0, ())), note=notes.get(number, ""))
        for number, name in NAMES.items()
    ]


_Found = tuple[int, tuple[str, ...]]


def _ask(probes: dict[str, Sequence[Select[str]]]) -> dict[str, _Found]:
    """All in one statement, so that they speak of one moment."""
    rows = db.session.execute(
        union_all(*(_counted(number, statements) for number, statements in probes.items()))
    ).all()
    return {
        number: (
            max((row.total for row in rows if row.number == number), default=0),
            tuple(row.example for row in rows if row.number == number),
        )
        for number in probes
    }


def _counted(number: str, statements: Sequence[Select[str]]) -> Select[str, str, int]:
    found = union_all(*statements).subquery()
    counted = select(
        literal(number).label("number"),
        found.c.example,
        func.count().over().label("total"),
        func.row_number().over().label("place"),
    ).subquery()
    first = counted.c.place <= EXAMPLES_MAX
    return select(counted.c.number, counted.c.example, counted.c.total).where(first)


def _listed(sentences: Sequence[str]) -> _Found:
    return len(sentences), tuple(sentences[:EXAMPLES_MAX])


def _joined(one: _Found, other: _Found) -> _Found:
    return one[0] + other[0], (one[1] + other[1])[:EXAMPLES_MAX]
