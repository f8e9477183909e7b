"""`python -m bench NAME [--json FILE]`: one benchmark, or `all` of them into build/bench.

Each measures itself against its baselines in the same run: quote the ratios and the CPU per unit,
not the absolute rates of a busy machine.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import api, audit, billing, importing, month, outage, pages, sandbox_cost, simulation

BENCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "api": api.run,
    "billing": billing.run,
    "audit": audit.measure,
    "import": importing.run,
    "month": month.run,
    "pages": pages.run,
    "sandbox_cost": sandbox_cost.run,
    "simulation": simulation.run,
}
OUT = Path("build/bench")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*BENCHES, "outage", "all"])
    parser.add_argument("--minutes", type=float, default=5, help="outage: how long it lasts")
    parser.add_argument("--latency-s", type=float, default=30, help="outage: of each answer")
    parser.add_argument("--json", type=Path, help="where to write the result")
    wishes = parser.parse_args()
    names = list(BENCHES) if wishes.name == "all" else [wishes.name]
    # It lasts as long as its outage, so `all` leaves it out.
    apart = {"outage": partial(outage.run, minutes=wishes.minutes, latency_s=wishes.latency_s)}
    results = [(BENCHES | apart)[name]() for name in names]
    for result in results:
        _show(result)
    if wishes.name == "all":
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / "summary.json").write_text(json.dumps(results, indent=1))
    if wishes.json:
        wishes.json.write_text(json.dumps(results if len(results) > 1 else results[0], indent=1))


def _show(result: dict[str, Any]) -> None:
    table = Table("what", "figure", "ratio", title=f"{result['name']}: {result['work']}")
    table.add_row("this", f"{result['figure']} {result['unit']}", "")
    for name, baseline in result["baselines"].items():
        table.add_row(f"baseline: {name}", str(baseline["figure"]), f"{baseline['ratio']} x")
    for process, cost in result["cpu_ms_per_unit"].items():
        table.add_row(f"CPU of {process}", f"{cost} ms per unit", "")
    Console().print(table)


if __name__ == "__main__":
    main()
