"""A billing run against the sandbox at 100 ms, beside one RQ job per charge and a thread pool.

`python -m bench billing`: renewals that fall due at once, real rows, books, log and receipt
notices, PostgreSQL with fsync. Runs and baselines take turns in one installation: the same
PostgreSQL, the same sandbox, the same minutes. Rates are taken between the first and the last
tenth. During the last run staff refund; at the end the selection is timed with up to a million due.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from bench.baselines import Baseline, by_jobs, by_threads, in_scratch_database
from bench.installation import Installation, contract, installed, write_rows

CHARGES = int(os.environ.get("BENCH_CHARGES", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
WORKERS = int(os.environ.get("BENCH_WORKERS", "2"))
DUE = os.environ.get("BENCH_DUE", "1000,10000,100000,1000000")
JOB_CHARGES = int(os.environ.get("BENCH_JOB_CHARGES", "150"))
THREAD_CHARGES = int(os.environ.get("BENCH_THREAD_CHARGES", "2000"))
LATENCY_MS = 100
IN_FLIGHT = 512  # what `opsapp up` grants the sandbox, over all workers
LIMIT_S = 900
REFUNDS, REFUND_EVERY_S = 40, 0.2


def run() -> dict[str, Any]:
    runs, by_job, by_thread = [], [], []
    refunds: dict[str, Any] = {}
    with installed(workers=WORKERS) as house:
        for number in range(ROUNDS):
            by_job.append(by_jobs(house, JOB_CHARGES, latency_ms=LATENCY_MS))
            by_thread.append(by_threads(house, THREAD_CHARGES, latency_ms=LATENCY_MS))
            with_refunds = number > 0 and number == ROUNDS - 1
            runs.append(_measure(house, number, with_refunds=with_refunds))
            refunds = runs[-1].pop("refunds") or refunds
        checked = json.loads(house.opsapp("check", "--json"))["violations"]
        shape = _shape(house)
        house.faults(latency_ms={"fixed": 0})
        selection = _select(house)
    figure = statistics.median(each["figure"] for each in runs)
    return {
        "name": "billing",
        "work": f"{ROUNDS} x {CHARGES} renewals due at once, {LATENCY_MS} ms gateway, "
        f"{WORKERS} workers, violations: {checked}",
        "figure": round(figure),
        "unit": "charges/s",
        "baselines": {
            "one RQ job per charge, 4 preloaded forking workers": _ratio(figure, by_job),
            "a pool of 32 threads, requests, a commit per charge": _ratio(figure, by_thread),
        },
        "share_of_in_flight_by_latency": round(figure / (IN_FLIGHT / LATENCY_MS * 1000), 2),
        "cpu_ms_per_unit": _cost(runs),
        "charging_and_postgres_ms_per_unit": [each["charging_and_postgres"] for each in runs],
        "rounds": [each["figure"] for each in runs],
        "refunds_during_the_run": refunds,
        "shape": shape,
        "selection_with_n_due": selection,
        "curve": runs[-1]["curve"],
    }


def _measure(house: Installation, number: int, *, with_refunds: bool) -> dict[str, Any]:
    house.faults(latency_ms={"fixed": 0})
    _import(house, number)
    house.faults(latency_ms={"fixed": LATENCY_MS})
    [(paid,)] = house.query("SELECT count(*) FROM payments WHERE paid_at IS NOT NULL")
    [(last,)] = house.query("SELECT coalesce(max(id), 0) FROM audit_entries")
    before = house.cpu_s()
    house.opsapp("clock", "advance", "1d")
    clerk = _start_refunds(house) if with_refunds else None
    _wait_for(house, paid + CHARGES)
    after = house.cpu_s()
    rows = house.query(
        "SELECT extract(epoch FROM recorded_at)::float8 FROM audit_entries"
        " WHERE action = 'payment.paid' AND id > %s ORDER BY recorded_at",
        last,
    )
    moments = [moment for (moment,) in rows]
    cost = {name: (after[name] - before.get(name, 0)) * 1000 / CHARGES for name in after}
    charging = sum(cost.get(name, 0) for name in ("worker charges_bulk.toss", "postgres"))
    house.opsapp("idle", "--timeout", "300")
    return {
        "figure": round(_rate(moments), 1),
        "cost": cost,
        "charging_and_postgres": round(charging, 3),
        "curve": [[round(m - moments[0], 2), n] for n, m in enumerate(moments) if n % 1000 == 0],
        "refunds": _read_refunds(clerk),
    }


def _import(house: Installation, number: int) -> None:
    """Fresh contracts: their agreement told of the first charge, so that nothing is waited for."""
    [(day_on, day)] = house.query(
        "SELECT to_char(ops_now() AT TIME ZONE 'Asia/Seoul' + interval '1 day', 'YYYY-MM-DD'),"
        " extract(day FROM ops_now() AT TIME ZONE 'Asia/Seoul' + interval '1 day')::int"
    )
    file = house.folder / "contracts.csv"
    write_rows(
        file,
        [
            contract(f"B{number}{place:06d}", place, anchor_day=day, started_on=day_on)
            for place in range(CHARGES)
        ],
    )
    house.opsapp("import", "subscriptions", str(file), limit_s=LIMIT_S)
    house.opsapp("idle", "--timeout", "300")


def _wait_for(house: Installation, count: int) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    paid = "SELECT count(*) FROM payments WHERE paid_at IS NOT NULL"
    while house.query(paid) != [(count,)]:
        if time.monotonic() > give_up_at:
            raise RuntimeError("the billing run did not end in time")
        time.sleep(1)


def _start_refunds(house: Installation) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.refunding", "--count", str(REFUNDS)]
    return subprocess.Popen(
        [*command, "--every-s", str(REFUND_EVERY_S)],
        env=house.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _read_refunds(clerk: subprocess.Popen[str] | None) -> dict[str, Any]:
    """`reached` lies between the claim and the answer less what the gateway took."""
    if clerk is None:
        return {}
    printed, _ = clerk.communicate(timeout=LIMIT_S)
    spans = json.loads(printed)
    answered = [span - LATENCY_MS for span in spans["answered_ms"]]
    return {
        "count": len(answered),
        "claimed_p50_p95_ms": _percentiles(spans["claimed_ms"]),
        "answered_less_latency_p50_p95_ms": _percentiles(answered),
    }


def _shape(house: Installation) -> dict[str, Any]:
    """What no noise moves: jobs of the runs, and how many attempts each had."""
    [(count, largest, total)] = house.query(
        "SELECT count(*), max(n), sum(n) FROM (SELECT jsonb_array_length(arguments->'attempt_ids')"
        " n FROM outbox_jobs WHERE name = 'payments.execute_attempts') sizes"
    )
    return {"jobs": count, "largest_job": largest, "attempts_ordered": int(total)}


def _select(house: Installation) -> list[Any]:
    with in_scratch_database(house, "selection") as environment:
        file = house.folder / "few.csv"
        with psycopg.connect(environment["DATABASE_URL"]) as connection:
            [(day_on, day)] = connection.execute(
                "SELECT to_char(now() AT TIME ZONE 'Asia/Seoul' + interval '1 day', 'YYYY-MM-DD'),"
                " extract(day FROM now() AT TIME ZONE 'Asia/Seoul' + interval '1 day')::int"
            ).fetchall()
        rows = [contract(f"S{n}", n, anchor_day=day, started_on=day_on) for n in range(4000)]
        write_rows(file, rows)
        _run(environment, "opsapp.cli", "import", "subscriptions", str(file))
        pid = str(house.ready["pids"]["postgres"])
        printed = _run(environment, "bench.selection", "--due", DUE, "--postgres-pid", pid)
    told: list[Any] = json.loads(printed.strip().splitlines()[-1])
    return told


def _run(environment: Mapping[str, str], *words: str) -> str:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=LIMIT_S
    )
    return done.stdout


def _ratio(figure: float, rounds: Sequence[Baseline]) -> dict[str, Any]:
    rates = [each.rate for each in rounds]
    median = statistics.median(rates)
    return {
        "figure": round(median, 1),
        "ratio": round(figure / median, 1),
        "rounds": [round(rate, 1) for rate in rates],
        "cpu_ms_per_unit": round(statistics.median(each.cpu_ms for each in rounds), 2),
    }


def _cost(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = sorted({name for each in runs for name in each["cost"]})
    return {
        name: round(statistics.median(each["cost"].get(name, 0) for each in runs), 3)
        for name in names
    }


def _rate(moments: Sequence[float]) -> float:
    early, late = moments[len(moments) // 10], moments[len(moments) * 9 // 10]
    return len(moments) * 0.8 / (late - early)


def _percentiles(spans: Sequence[float]) -> list[float]:
    ordered = sorted(spans)
    return [round(ordered[int(len(ordered) * share)], 1) for share in (0.5, 0.95)] if spans else []
