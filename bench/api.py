"""Orders through the API beside the workers that charge them: what a shop's program waits for.

`python -m bench api`: BENCH_RATE orders a second (200) for BENCH_SECONDS (30). The generator is a
process of its own and an open loop: each order is sent at its planned moment whether the ones
before it were answered or not, and what it took is counted from that moment, so that a stall
counts for all who would have come during it (no coordinated omission).
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from bench.installation import Installation, installed

RATE = int(os.environ.get("BENCH_RATE", "200"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "30"))
WARM_UP_S = 5
CUSTOMERS = 200
P99_MS_MAX = 150
IDLE_LIMIT_S = "600"

# Run inside the installation: customers with cards, and a key of the shop's program.
_PREPARE = """
import json, sys
from opsapp import create_app
from opsapp.customers import issuing as methods, queries, registering
from opsapp.customers.models import PaymentMethod
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.programs import issuing
BY = Actor("cli", "bench")
with create_app().app_context():
    wishes = [
        registering.NewCustomer(f"L{n:05d}", "벤치", f"l{n}@example.com", "010-0000-1234")
        for n in range(int(sys.argv[1]))
    ]
    with transaction():
        ids = registering.register_customers(wishes, by=BY)
        keys = {id_: f"card.{new_ref('auth')}" for id_ in ids.values()}
        wanted = [NewMethod(id_, "card", auth_key=key) for id_, key in keys.items()]
        method_ids = add_methods(wanted, by=BY)
        key = issuing.make("bench", ["orders:write", "orders:read"], by=BY)
    methods.issue_billing_keys(method_ids, by=BY)
    with transaction():
        refs = {
            ref: db.session.get_one(PaymentMethod, method_id).ref
            for ref, method_id in zip(ids, method_ids, strict=True)
        }
    print(json.dumps({"key": key.secret, "methods": refs}))
"""


def run() -> dict[str, Any]:
    with installed(OPSAPP_API_RATE_PER_S_MAX="10000") as house:
        prepared = json.loads(_inside(house, _PREPARE, str(CUSTOMERS)))
        _load(house, prepared, seconds=WARM_UP_S, name="warm")
        before, statements = house.cpu_s(), _commits(house)
        told = _load(house, prepared, seconds=SECONDS, name="run")
        after, commits = house.cpu_s(), _commits(house) - statements
        house.opsapp("idle", "--timeout", IDLE_LIMIT_S)
        violated = _violated(house)
        [(paid,)] = house.query("SELECT count(*) FROM payments WHERE status = 'paid'")
    sent = RATE * SECONDS
    return {
        "name": "api",
        "work": f"{RATE} orders a second for {SECONDS} s beside their charging, "
        f"{told['refused']} refused, {paid} paid with the warm-up, violations: {violated}",
        "figure": told["p99_ms"],
        "unit": f"ms at p99 (at most {P99_MS_MAX})",
        "baselines": {},
        "latency_ms": told,
        "cpu_ms_per_unit": {
            name: round((after[name] - before.get(name, 0)) * 1000 / sent, 2) for name in after
        },
        "commits_per_order": round(commits / sent, 1),
        "is_met": told["p99_ms"] <= P99_MS_MAX and not told["refused"] and not violated,
    }


def _violated(house: Installation) -> list[str]:
    """Invariants that do not hold, each with an example."""
    try:
        told = house.opsapp("check", "--json")
    except subprocess.CalledProcessError as error:  # so it ends if one does not hold
        told = error.stdout
    rows = [row for row in json.loads(told)["rows"] if row["violations"]]
    return [f"{row['id']} {row['name']} {row['examples'][:1]}" for row in rows]


def _inside(house: Installation, code: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=house.environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    return done.stdout.strip().splitlines()[-1]


def _load(
    house: Installation, prepared: dict[str, Any], *, seconds: int, name: str
) -> dict[str, Any]:
    wish = prepared | {"url": house.ready["url"], "rate": RATE, "seconds": seconds, "name": name}
    done = subprocess.run(
        [sys.executable, "-m", "bench.api"],
        input=json.dumps(wish),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds * 10 + 60,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _commits(house: Installation) -> int:
    [(count,)] = house.query(
        "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(count)


async def _generate(wish: dict[str, Any]) -> dict[str, Any]:
    """The other process: everything it sends, and what each took from its planned moment."""
    import aiohttp  # noqa: PLC0415 - of the generator alone

    total = wish["rate"] * wish["seconds"]
    took: list[float] = []
    refused: dict[int, int] = {}
    people = list(wish["methods"].items())
    headers = {"Authorization": f"Bearer {wish['key']}"}
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, connector=connector
    ) as session:
        start = time.perf_counter() + 0.5

        async def order(number: int) -> None:
            planned = start + number / wish["rate"]
            await asyncio.sleep(max(0.0, planned - time.perf_counter()))
            customer, method = people[number % len(people)]
            body = {
                "id": f"{wish['name']}-{number}",
                "customer": customer,
                "title": "사과 3 kg",
                "lines": [{"kind": "one_off", "title": "사과 3 kg", "unit_price": 12000}],
                "payment_method": method,
            }
            keyed = {"Idempotency-Key": f"{wish['name']}-{number}"}
            async with session.post(
                f"{wish['url']}/api/v1/orders", json=body, headers=keyed
            ) as answer:
                await answer.read()
                if answer.status != 201:
                    refused[answer.status] = refused.get(answer.status, 0) + 1
            took.append((time.perf_counter() - planned) * 1000)

        await asyncio.gather(*(order(number) for number in range(total)))
        lasted = time.perf_counter() - start
    took.sort()
    return {
        "p50_ms": round(statistics.median(took), 1),
        "p90_ms": round(took[int(total * 0.9)], 1),
        "p99_ms": round(took[int(total * 0.99)], 1),
        "max_ms": round(took[-1], 1),
        "rate": round(total / lasted, 1),
        "refused": refused,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_generate(json.loads(sys.stdin.read())))))
