"""Rules of the house that no linter knows. One test per rule; it lists all offenders."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from opsapp import reactions
from opsapp.kernel import turns
from opsapp.kernel.db import Base
from opsapp.kernel.turns import Claimable

ROOT = Path(__file__).parents[2]
CHECKED = ("opsapp", "workers", "sandbox", "bench", "migrations")
SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for folder in CHECKED
    for path in sorted((ROOT / folder).rglob("*.py"))
}
APPLICATION = {n: tree for n, tree in SOURCES.items() if n.startswith(("opsapp", "workers"))}
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 50
BANNED_NAMES = {"utils", "helpers", "common", "misc", "service", "services", "manager", "managers"}
ROOMS = {
    "anomalies", "approvals", "audit", "bulk", "cash_receipts", "catalog", "checkout", "consents",
    "customers", "exports", "failures", "insights", "ledger", "notifications", "orders",
    "payments", "points", "programs", "recovery", "routing", "settlement", "shop_events", "staff",
    "subscriptions", "tickets",
}  # fmt: skip
ROOM_FILES = {
    "__init__", "models", "states", "rules", "queries", "waking", "events", "jobs", "errors",
}  # fmt: skip
NOUN_VERBS = {"payment_methods", "consents", "sessions", "passwords"}
WRITES = {
    "bulk_insert", "bulk_update", "insert", "update", "delete", "within_transaction",
    "add", "add_all", "merge",
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def every(*kinds: type[ast.AST], but: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in APPLICATION.items():
        if name not in but:
            yield from ((f"{name}:{n.lineno}", n) for n in ast.walk(tree) if isinstance(n, kinds))


def calls(*names: str, but: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.Call]]:
    for place, call in every(ast.Call, but=but):
        called = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if called in names:
            yield place, call


def room_of(place: str) -> str:
    return place.split("/", 2)[1]


def file_of(place: str) -> Path:
    return Path(place.partition(":")[0])


def test_only_the_kernel_commits():
    kernel = ("opsapp/kernel/db.py",)
    assert [place for place, _ in calls("commit", "rollback", but=kernel)] == []


def test_only_the_kernel_locks_rows_and_only_for_a_query_that_says_so():
    kernel = ("opsapp/kernel/db.py",)
    assert [place for place, _ in calls("with_for_update", but=kernel)] == []
    quiet = [
        place
        for place, function in every(*FUNCTIONS, but=kernel)
        if not function.name.lstrip("_").startswith("lock_")
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "locked"
    ]
    assert quiet == [], "a query that locks is named lock_..."


def test_only_a_state_machine_sets_a_status():
    kernel = ("opsapp/kernel/states.py",)

    def targets(node: ast.AST) -> list[ast.AST]:
        return node.targets if isinstance(node, ast.Assign) else [node.target]

    assigned = [
        place
        for place, node in every(ast.Assign, ast.AugAssign, ast.AnnAssign, but=kernel)
        if any(isinstance(t, ast.Attribute) and t.attr == "status" for t in targets(node))
    ]
    by_name = [
        place
        for place, call in calls("setattr", but=kernel)
        if not isinstance(call.args[1], ast.Constant) or call.args[1].value == "status"
    ]
    in_bulk = [
        place
        for place, call in calls("values", "update", but=kernel)
        if any(keyword.arg == "status" for keyword in call.keywords)
        or any(
            "status" in (getattr(key, "attr", ""), getattr(key, "value", ""))
            for argument in call.args
            if isinstance(argument, ast.Dict)
            for key in argument.keys
        )
    ]
    assert assigned + by_name + in_bulk == [], "use MACHINE.move() or move_many()"


def test_nothing_is_too_long():
    files = [n for n in SOURCES if (ROOT / n).read_text().count("\n") > LINES_PER_FILE]
    functions = [
        f"{name}:{function.lineno} {function.name}"
        for name, tree in SOURCES.items()
        if "/versions/" not in name  # a migration is one list of tables
        for function in ast.walk(tree)
        if isinstance(function, FUNCTIONS)
        and function.end_lineno - function.lineno >= LINES_PER_FUNCTION
    ]
    assert [n for n in files if "/versions/" not in n] + functions == []


def test_there_is_no_drawer_for_odds_and_ends():
    assert [name for name in SOURCES if BANNED_NAMES & {*Path(name).with_suffix("").parts}] == []


def test_a_room_holds_only_the_files_that_every_room_may_hold():
    strange = [
        name
        for name in SOURCES
        if name.startswith("opsapp/")
        and room_of(name) in ROOMS
        and (stem := Path(name).stem) not in ROOM_FILES | NOUN_VERBS
        and not any(part.endswith("ing") for part in stem.split("_"))
    ]
    assert strange == [], "a verb is a gerund; see docs/ARCHITECTURE.md"


def reads_only(place: str) -> bool:
    """A room's file that imports nothing to write with, and adds no row to the session."""
    nodes = list(ast.walk(APPLICATION[place.partition(":")[0]]))
    imported = {a.name for node in nodes if isinstance(node, ast.ImportFrom) for a in node.names}
    called = {getattr(node.func, "attr", "") for node in nodes if isinstance(node, ast.Call)}
    return room_of(place) in ROOMS and not (imported | called) & WRITES


def test_a_room_writes_only_its_own_tables():
    foreign = [
        place
        for place, node in every(ast.ImportFrom)
        if (node.module or "").startswith("opsapp.")
        and node.module.endswith(".models")
        and node.module.split(".")[1] != room_of(place)
        and file_of(place).name not in ("queries.py", "models.py")
        and room_of(place) not in ("insights", "reactions.py")
        and not reads_only(place)
    ]
    assert foreign == [], "call a verb of the room that owns the table"


def test_imports_stand_at_the_top():
    hidden = [
        place
        for place, function in every(*FUNCTIONS)
        if any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(function))
    ]
    assert hidden == [], "an import inside a function hides a cycle"


def test_text_sql_stays_in_the_kernel():
    outside = [
        place
        for place, call in calls("text", "exec_driver_sql")
        if "/kernel/" not in place
        and file_of(place).name != "models.py"  # server defaults and partial indexes
        and "console" not in place
    ]
    assert outside == []


def test_every_job_has_a_worker_and_every_worker_a_job():
    ordered = {
        call.args[0].value
        for place, call in calls("Job")
        if file_of(place).name == "jobs.py" and call.args
    }
    done = {
        f"{file_of(place).stem}.{function.name}"
        for place, function in every(ast.FunctionDef)
        if any(getattr(decorator, "id", "") == "job" for decorator in function.decorator_list)
    }
    assert ordered == done


def test_every_claimable_table_is_swept_by_the_relay():
    claimable = {
        mapper.class_.__tablename__
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, Claimable)
    }
    assert claimable == {work.name for work in reactions.WORK}


def test_every_queue_is_watched_by_a_worker_process():
    from_jobs = {
        keyword.value.value
        for place, call in calls("Job")
        for keyword in call.keywords
        if keyword.arg == "queue"
    }
    watched = importlib.import_module("workers.queues")
    assert from_jobs <= {*watched.LANED, *watched.PLAIN}


def test_work_that_waits_on_a_gateway_goes_to_the_queue_of_that_gateway():
    laned = importlib.import_module("workers.queues").LANED
    mixed = [w.name for w in reactions.WORK if (w.job.queue in laned) != (w.lane != "")]
    unnamed = [
        place
        for place, call in calls("enqueue")
        if not any(keyword.arg == "lane" for keyword in call.keywords)
    ]
    assert mixed + unnamed == [], "enqueue(lane=gateway_name, ...): no worker serves them all"


def test_every_job_outlives_its_chunk_and_the_longest_call(settings):
    longest = settings.chunk_budget_s + 70 + 2 * 15
    short = [
        place
        for place, call in calls("Job")
        for keyword in call.keywords
        if keyword.arg == "timeout_s"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value < longest
    ]
    assert short == [], "a job's time limit is a signal that may strike inside COMMIT"


def test_every_append_only_table_has_its_triggers_and_no_rights(owner):
    tables = (
        "audit_entries", "audit_seals", "ledger_transfers", "deposits", "decisions", "terms",
        "consents", "consent_withdrawals", "point_entries",
    )  # fmt: skip
    triggers = {
        row[0]
        for row in owner.execute(
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
        )
    }
    wanted = {f"{table}_{kind}" for table in tables for kind in ("append_only", "no_truncate")}
    assert wanted <= triggers
    for table in tables:
        for right in ("UPDATE", "DELETE", "TRUNCATE"):
            [(may,)] = owner.execute(
                "SELECT has_table_privilege('opsapp_app', %s, %s)", [table, right]
            )
            assert not may, f"{right} on {table}"


def test_the_registries_of_rq_are_never_counted_with_side_effects():
    assert [p for p, _ in calls("StartedJobRegistry", "FailedJobRegistry", "get_job_count")] == []


def test_no_room_looks_at_the_clock_of_the_machine():
    local = [
        place
        for place, call in calls("now", "utcnow", "today")
        if getattr(call.func, "attr", "") in ("now", "utcnow", "today")
        and getattr(getattr(call.func, "value", None), "id", "") in ("datetime", "date")
        and room_of(place) in ROOMS
    ]
    assert local == [], "business time comes from kernel.clock, leases from the database"


def test_the_walk_of_turns_lives_in_the_kernel_alone():
    assert turns.take_turns.__module__ == "opsapp.kernel.turns"
    starters = [p for p, _ in calls("Runner", "run_until_complete") if "/kernel/" not in p]
    assert starters == []
