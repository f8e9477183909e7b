"""What one billing charge costs the sandbox gateway in CPU, at 100 ms latency.

`python -m bench sandbox_cost`

The sandbox runs as a process of its own; the load comes from this process over keep-alive
connections. Its CPU is user + system time of all its threads, fsync included.
"""

import asyncio
import base64
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

LATENCY_MS = 100
_AUTHORIZATION = {"Authorization": "Basic " + base64.b64encode(b"test_sk_bench:").decode()}
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def run(*, charges: int = 10_000, abreast: int = 512) -> dict[str, Any]:
    """Run the load once; the result has the fields every bench writes."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", directory]
        sandbox = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert sandbox.stdout is not None
            url = sandbox.stdout.readline().split()[-1]
            before_s = _cpu_s(sandbox.pid)
            elapsed_s = uvloop.run(_charge_all(url, charges=charges, abreast=abreast))
            cpu_s = _cpu_s(sandbox.pid) - before_s
        finally:
            sandbox.terminate()
            sandbox.wait()
    return {
        "name": "sandbox_cost",
        "work": f"{charges} billing charges, {abreast} abreast, {LATENCY_MS} ms latency",
        "figure": round(charges / elapsed_s),
        "unit": "charges/s",
        "baselines": {},
        "cpu_ms_per_unit": {"sandbox": round(cpu_s * 1000 / charges, 4)},
    }


async def _charge_all(url: str, *, charges: int, abreast: int) -> float:
    connector = aiohttp.TCPConnector(limit=abreast)
    async with aiohttp.ClientSession(url, connector=connector, headers=_AUTHORIZATION) as session:
        async with session.put(
            "/_sandbox/faults", json={"latency_ms": {"fixed": LATENCY_MS}}
        ) as answer:
            assert answer.status == 200
        issue = {"authKey": "card.bench", "customerKey": "customer-bench"}
        async with session.post("/v1/billing/authorizations/issue", json=issue) as answer:
            path = f"/v1/billing/{(await answer.json())['billingKey']}"
        numbers = iter(range(charges))

        async def charge_on() -> None:
            for number in numbers:
                await _charge(session, path, number)

        started = time.perf_counter()
        await asyncio.gather(*(charge_on() for _ in range(abreast)))
        return time.perf_counter() - started


async def _charge(session: aiohttp.ClientSession, path: str, number: int) -> None:
    body = {
        "amount": 9900,
        "customerKey": "customer-bench",
        "orderId": f"bench-{number:08d}",
        "orderName": "음악 스트리밍 구독",
    }
    headers = {"Idempotency-Key": f"pay:bench-{number:08d}"}
    async with session.post(path, json=body, headers=headers) as answer:
        assert answer.status == 200
        assert (await answer.json())["status"] == "DONE"


def _cpu_s(pid: int) -> float:
    """User and system time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
