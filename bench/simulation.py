"""Five simulated lives: 500 subscriptions over 24 months with every fault, each by another seed.

`python -m bench simulation`: BENCH_SEEDS names other seeds ("1,2,3,4,5"). The first seed is lived
twice, and must end in the same hash.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

SUBSCRIPTIONS, MONTHS = 500, 24
LIMIT_S = 1800


def run() -> dict[str, Any]:
    seeds = [int(seed) for seed in os.environ.get("BENCH_SEEDS", "1,2,3,4,5").split(",")]
    lives = [_live(seed) for seed in (*seeds, seeds[0])]
    if lives[0]["hash"] != lives[-1]["hash"]:
        raise RuntimeError(f"seed {seeds[0]} ended in two ways")
    violations = sum(life["violations"] for life in lives)
    due = sum(life["due"] for life in lives)
    return {
        "name": "simulation",
        "work": f"{SUBSCRIPTIONS} subscriptions x {MONTHS} months, seeds {seeds}, {due} periods "
        f"due, violations: {violations}",
        "figure": max(life["wall_s"] for life in lives),
        "unit": "s for the slowest",
        "baselines": {},
        "cpu_ms_per_unit": {},
        "curve": [[life["wish"]["seed"], life["wall_s"]] for life in lives],
        "lives": lives,
    }


def _live(seed: int) -> dict[str, Any]:
    """In a process of its own, as a person would start it. Violations are counted, not raised."""
    words = ["simulate", "--subscriptions", str(SUBSCRIPTIONS), "--months", str(MONTHS)]
    command = [sys.executable, "-m", "opsapp.cli", *words, "--seed", str(seed), "--json"]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode > 1:
        raise RuntimeError(done.stderr)
    life: dict[str, Any] = json.loads(done.stdout)
    return life | {"wall_s": round(time.monotonic() - began, 1)}
