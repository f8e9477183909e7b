"""One gateway takes 30 s for every answer; what do the other one's payments notice?

`python -m bench outage [--minutes 5] [--latency-s 30]`: a whole installation with the sandbox as
Toss Payments and a stand-in for PortOne, real workers, and a steady stream of charges at both,
half of them with a person waiting. Times are from the request to the record. Timeouts are those
of production, so that nothing but the circuit ends the waiting.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.installation import Installation, installed
from opsapp import create_app
from opsapp.customers import issuing
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.customers.queries import get_customer_keys
from opsapp.customers.registering import NewCustomer, register_customers
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.money import Money
from opsapp.payments.requesting import PaymentOrder, request_payments

BY = Actor("cli", "bench")
SICK, WELL = "toss", "portone"
MERCHANT = "bench"
PER_S = 1  # charges requested at each gateway: two cores also carry the installation
QUIET_S = 40.0  # measured before and after
RECOVERY_LIMIT_S = 420.0  # the longest rest and its probes
DRAIN_S = 600
LATENCY_MS = 100  # of both while they are well
PORTONE = {
    "OPSAPP_PORTONE_SECRET": MERCHANT,
    "OPSAPP_PORTONE_STORE_ID": "store-bench",
    "OPSAPP_PORTONE_CHANNELS": "card=channel-card",
}
PRODUCTION = {
    "OPSAPP_GATEWAY_TIMEOUT_S": "70",
    "OPSAPP_GATEWAY_INQUIRY_TIMEOUT_S": "25",
    "OPSAPP_LEASE_MARGIN_S": "15",
}


@dataclass(frozen=True, slots=True)
class Phases:
    """Moments of the database's clock."""

    began: datetime
    fault: datetime
    mended: datetime
    ended: datetime


def run(*, minutes: float = 5, latency_s: float = 30) -> dict[str, Any]:
    with _portone() as url:
        os.environ.update(PORTONE | PRODUCTION | {"OPSAPP_PORTONE_URL": url})
        with installed(workers=1) as house:
            return _measure(house, url, minutes, latency_s)


def _measure(house: Installation, double: str, minutes: float, latency_s: float) -> dict[str, Any]:
    os.environ.update(json.loads((house.folder / "data" / "env.json").read_text()))
    with create_app().app_context():
        phases = _live(house, double, minutes * 60, latency_s)
    house.opsapp("idle", "--timeout", str(DRAIN_S), limit_s=DRAIN_S + 60)
    return _result(house, phases, _check(house), minutes, latency_s)


def _live(house: Installation, double: str, outage_s: float, latency_s: float) -> Phases:
    stream = _Stream(double)
    _hold_up(house, double, LATENCY_MS)
    began = _now(house)
    stream.flow(QUIET_S)
    fault = _now(house)
    house.faults(latency_ms={"fixed": latency_s * 1000})
    stream.flow(outage_s)
    mended = _now(house)
    house.faults(latency_ms={"fixed": LATENCY_MS})
    give_up_at = time.monotonic() + RECOVERY_LIMIT_S
    while _circuit(house) != "closed" and time.monotonic() < give_up_at:
        stream.flow(1)
    stream.flow(QUIET_S)
    return Phases(began, fault, mended, _now(house))


class _Stream:
    """A customer with a card at each gateway, who orders again and again."""

    def __init__(self, double: str) -> None:
        self._methods = {SICK: _method(SICK, None), WELL: _method(WELL, double)}
        self._number = 0

    def flow(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds * PER_S))):
            next_at = time.monotonic() + 1 / PER_S
            self._number += 1
            with transaction():
                for customer_id, method_id in self._methods.values():
                    order = PaymentOrder(
                        "order",
                        customer_id * 1_000_000 + self._number,
                        customer_id,
                        method_id,
                        "outage",
                        Money(9900, "KRW"),
                    )
                    request_payments([order], by=BY, hurry=self._number % 2 == 0)
            time.sleep(max(0.0, next_at - time.monotonic()))


def _method(gateway: str, double: str | None) -> tuple[int, int]:
    ref = f"bench-{gateway}"
    with transaction():
        new = NewCustomer(ref, "벤치", f"{ref}@example.com", "010-0000-0000")
        customer_id = register_customers([new], by=BY)[ref]
        customer_key = get_customer_keys([customer_id])[customer_id].customer_key
    auth_key = f"card.{ref}"
    if double is not None:
        body = {"customer_id": customer_key}
        auth_key = _call("POST", f"{double}/_double/billing-keys?secret={MERCHANT}", body)[
            "billingKey"
        ]
    with transaction():
        wish = NewMethod(customer_id, "card", gateway, auth_key=auth_key)
        [method_id] = add_methods([wish], by=BY)
    issuing.issue_billing_keys([method_id], by=BY)
    return customer_id, method_id


def _hold_up(house: Installation, double: str, latency_ms: int) -> None:
    house.faults(latency_ms={"fixed": latency_ms})
    _call("PUT", f"{double}/_double/faults", {"latency_s": latency_ms / 1000})


def _result(
    house: Installation, phases: Phases, violated: list[Any], minutes: float, latency_s: float
) -> dict[str, Any]:
    took = {
        gateway: {
            "before": _took_ms(house, gateway, phases.began, phases.fault),
            "during": _took_ms(house, gateway, phases.fault, phases.mended),
            "after": _took_ms(house, gateway, phases.mended, phases.ended),
        }
        for gateway in (WELL, SICK)
    }
    well = took[WELL]
    return {
        "name": "outage",
        "work": f"{latency_s:g} s of latency at {SICK} for {minutes:g} min, {PER_S} charges/s at "
        f"each gateway; violations: {len(violated)}, payments not paid: {_unpaid(house)}",
        "figure": well["during"]["p95"],
        "unit": f"ms: p95 of {WELL} during the outage",
        "baselines": {
            phase: {
                "figure": f"p50 {well[phase]['p50']} ms, p95 {well[phase]['p95']} ms",
                "ratio": round(well[phase]["p95"] / well["before"]["p95"], 2),
            }
            for phase in well
        },
        "cpu_ms_per_unit": {},
        "took_ms": took,
        "circuit": _moves(house, phases),
        "violated": violated,
        "not_paid": _unpaid(house),
    }


def _took_ms(house: Installation, gateway: str, since: datetime, until: datetime) -> dict[str, Any]:
    """From the log entry of the request to that of the money."""
    rows = house.query(
        "SELECT extract(epoch FROM paid.recorded_at - asked.recorded_at)::float8 * 1000"
        " FROM payments p"
        " JOIN audit_entries asked ON asked.subject_type = 'payment'"
        "  AND asked.subject_id = p.id AND asked.action = 'payment.requested'"
        " JOIN audit_entries paid ON paid.subject_type = 'payment'"
        "  AND paid.subject_id = p.id AND paid.action = 'payment.paid'"
        " WHERE p.gateway_name = %s AND asked.recorded_at >= %s AND asked.recorded_at < %s",
        gateway,
        since,
        until,
    )
    times = sorted(ms for (ms,) in rows)
    cuts = statistics.quantiles(times, n=20)
    return {"count": len(times), "p50": round(cuts[9]), "p95": round(cuts[18])}


def _moves(house: Installation, phases: Phases) -> list[dict[str, Any]]:
    rows = house.query(
        "SELECT recorded_at, to_state, because, detail FROM audit_entries"
        " WHERE subject_type = 'gateway_circuit' ORDER BY id"
    )
    return [
        {
            "s_after_fault": round((at - phases.fault).total_seconds(), 1),
            "s_after_mending": round((at - phases.mended).total_seconds(), 1),
            "to": state,
            "because": because,
        }
        | detail
        for at, state, because, detail in rows
    ]


def _check(house: Installation) -> list[Any]:
    """The invariants that do not hold; the command leaves with 1 when there are any."""
    try:
        told = house.opsapp("check", "--json")
    except subprocess.CalledProcessError as error:
        told = error.stdout
    return [row for row in json.loads(told)["rows"] if row["violations"]]


def _circuit(house: Installation) -> str:
    rows = house.query("SELECT status FROM gateway_circuits WHERE gateway_name = %s", SICK)
    return str(rows[0][0]) if rows else "closed"


def _unpaid(house: Installation) -> int:
    [(count,)] = house.query("SELECT count(*) FROM payments WHERE status <> 'paid'")
    return int(count)


def _now(house: Installation) -> datetime:
    [(now,)] = house.query("SELECT clock_timestamp()")
    moment: datetime = now
    return moment


def _call(method: str, url: str, body: Any) -> Any:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method=method)
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.loads(response.read())


@contextmanager
def _portone() -> Iterator[str]:
    """The address of the stand-in, a process of its own."""
    command = [sys.executable, "-m", "tests.fakes.portone", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").split()[-1]
        finally:
            process.terminate()
