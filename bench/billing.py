"""A billing run against the sandbox at 100 ms, beside one RQ job per charge.

`python -m bench billing`: 20,000 renewals that fall due at once, real rows, books and log, two
bulk workers. The baseline is the same product told to put one attempt into each job, with four
workers: what a queue of charge jobs costs. Rates are taken between the first and the last tenth.
"""

import json
import os
import time
from typing import Any

from bench.installation import Installation, installed, write_contracts

CHARGES = int(os.environ.get("BENCH_CHARGES", "20000"))
BASELINE_CHARGES = 200
LATENCY_MS = 100
LIMIT_S = 600


def run() -> dict[str, Any]:
    with installed(workers=2) as house:
        figure, cost, curve = _measure(house, CHARGES)
        checked = json.loads(house.opsapp("check", "--json"))["violations"]
    with installed(workers=4, OPSAPP_CHUNK_SIZE="1", OPSAPP_QUEUE_LENGTH_MAX="1000") as house:
        baseline, _, _ = _measure(house, BASELINE_CHARGES)
    return {
        "name": "billing",
        "work": f"{CHARGES} renewals due at once, {LATENCY_MS} ms gateway, violations: {checked}",
        "figure": round(figure),
        "unit": "charges/s",
        "baselines": {
            "one RQ job per charge, 4 preloaded forking workers": {
                "figure": round(baseline, 1),
                "ratio": round(figure / baseline, 1),
            }
        },
        "cpu_ms_per_unit": cost,
        "curve": curve,
    }


def _measure(house: Installation, count: int) -> tuple[float, dict[str, float], list[Any]]:
    contracts = house.folder / "contracts.csv"
    [(today, day)] = house.query(
        "SELECT to_char(now() AT TIME ZONE 'Asia/Seoul' + interval '1 day', 'YYYY-MM-DD'),"
        " extract(day FROM now() AT TIME ZONE 'Asia/Seoul' + interval '1 day')::int"
    )
    write_contracts(contracts, count, anchor_day=day, started_on=today)
    house.opsapp("import", "subscriptions", str(contracts))
    house.opsapp("idle", "--timeout", "120")
    house.faults(latency_ms={"fixed": LATENCY_MS})
    before = house.cpu_s()
    house.opsapp("clock", "advance", "1d")
    _wait_for(house, count)
    after = house.cpu_s()
    rows = house.query(
        "SELECT extract(epoch FROM recorded_at)::float8 FROM audit_entries"
        " WHERE action = 'payment.paid' ORDER BY recorded_at"
    )
    moments = [moment for (moment,) in rows]
    early, late = moments[len(moments) // 10], moments[len(moments) * 9 // 10]
    curve = [[round(m - moments[0], 2), n] for n, m in enumerate(moments) if n % 1000 == 0]
    cost = {name: round((after[name] - before[name]) * 1000 / count, 3) for name in after}
    return len(moments) * 0.8 / (late - early), cost, curve


def _wait_for(house: Installation, count: int) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while house.query("SELECT count(*) FROM payments WHERE status = 'paid'") != [(count,)]:
        if time.monotonic() > give_up_at:
            raise RuntimeError("the billing run did not end in time")
        time.sleep(0.5)
