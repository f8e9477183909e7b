"""`opsapp import subscriptions` of 7,000 contracts, a billing key issued for each."""

import time
from typing import Any

from bench.installation import installed, write_contracts

ROWS = 7000


def run() -> dict[str, Any]:
    with installed() as house:
        contracts = house.folder / "contracts.csv"
        write_contracts(contracts, ROWS, anchor_day=28, started_on="2026-11-28")
        before = house.cpu_s()
        started = time.monotonic()
        house.opsapp("import", "subscriptions", str(contracts))
        elapsed_s = time.monotonic() - started
        after = house.cpu_s()
    return {
        "name": "import",
        "work": f"{ROWS} contracts with a billing key each",
        "figure": round(ROWS / elapsed_s),
        "unit": "rows/s",
        "baselines": {},
        "cpu_ms_per_unit": {
            name: round((after[name] - before[name]) * 1000 / ROWS, 3) for name in after
        },
        "curve": [],
    }
