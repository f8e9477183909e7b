"""What the selection of due subscriptions costs while ever more of them are due.

`python -m bench.selection --due 1000,10000,100000,1000000 --postgres-pid N` works in the empty
database of the environment: it imports a few hundred contracts, multiplies them by SQL, and times
slices of the real selection, which makes real payments. A sequential scan, or a sort of more than
a slice, ends it.
"""

import argparse
import datetime
import json
import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import event, text

from bench.installation import tree_cpu_s
from opsapp import create_app
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.subscriptions import renewing

SLICE = 500
SLICES = 6
_OWN = ("id", "ref", "import_ref", "next_due_at")


class Undo(Exception):
    """Ends a transaction whose writes nobody wants."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.selection", description=__doc__)
    parser.add_argument("--due", required=True)
    parser.add_argument("--postgres-pid", type=int, required=True)
    wishes = parser.parse_args()
    with create_app().app_context():
        with transaction():
            first = db.session.scalars(text("SELECT min(next_due_at) FROM subscriptions")).one()
            clock.set_to(first.astimezone(datetime.UTC) + datetime.timedelta(minutes=1))
        told = [measure(int(due), wishes.postgres_pid) for due in wishes.due.split(",")]
    print(json.dumps(told))


def measure(due: int, postgres_pid: int) -> dict[str, Any]:
    fill_up_to(due)
    with transaction():
        renewing.renew_due(limit=SLICE)  # compiled and cached; the next ones are the measured
    before = (time.process_time(), tree_cpu_s(postgres_pid), time.monotonic())
    taken = 0
    for _ in range(SLICES):
        with transaction():
            taken += renewing.renew_due(limit=SLICE)
    after = (time.process_time(), tree_cpu_s(postgres_pid), time.monotonic())
    spent = [round((then - now) * 1000 / taken, 3) for now, then in zip(before, after, strict=True)]
    return {
        "due": due,
        "cpu_ms": spent[0],
        "postgres_cpu_ms": spent[1],
        "wall_ms": spent[2],
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "plan": explain(),
    }


def fill_up_to(due: int) -> None:
    """Copies of the imported contracts, all due at the same moment."""
    with transaction():
        names = db.session.scalars(
            text(
                "SELECT column_name FROM information_schema.columns WHERE table_name ="
                " 'subscriptions' AND is_generated = 'NEVER' AND NOT column_name = ANY(:own)"
            ),
            {"own": list(_OWN)},
        ).all()
        columns = ", ".join(f'"{name}"' for name in names)
        db.session.execute(
            text(
                f"INSERT INTO subscriptions (ref, next_due_at, {columns}) "  # noqa: S608
                f"SELECT 'copy_' || gen_random_uuid(), s.next_due_at, {columns} "
                "FROM generate_series(1, 1 + :due / 100) n,"
                " (SELECT * FROM subscriptions WHERE import_ref IS NOT NULL"
                "  AND next_period_index = 0 ORDER BY id DESC LIMIT 100) s "
                "LIMIT greatest(0, :due - (SELECT count(*) FROM subscriptions WHERE next_due_at"
                " <= ops_now()))"
            ),
            {"due": due},
        )
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(
            text("VACUUM ANALYZE subscriptions")
        )


def explain() -> list[str]:
    """The nodes of the plan by which a slice is selected. Raises AssertionError for a bad one."""
    seen: list[tuple[str, Any]] = []

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", keep)
    with suppress(Undo), transaction():
        renewing.renew_due(limit=SLICE)
        raise Undo
    event.remove(db.engine, "before_cursor_execute", keep)
    [(statement, parameters), *_] = [
        each for each in seen if "FOR UPDATE OF subscriptions" in each[0] and "plans" in each[0]
    ]
    with suppress(Undo), transaction():
        cursor: Any = db.session.connection().connection.cursor()
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        nodes = list(_nodes(cursor.fetchone()[0][0]["Plan"]))
        raise Undo
    assert any("subscriptions_due" in node for node in nodes), nodes
    assert not any(node.startswith(("Seq Scan on subscriptions", "Sort")) for node in nodes), nodes
    return nodes


def _nodes(plan: dict[str, Any]) -> Any:
    about = plan.get("Index Name") or plan.get("Relation Name")
    yield plan["Node Type"] + (f" on {about}" if about else "")
    for part in plan.get("Plans", []):
        yield from _nodes(part)


if __name__ == "__main__":
    assert Path("/proc").is_dir(), "CPU is read from /proc"
    assert os.environ["DATABASE_URL"]
    main()
