"""Every list of the console at five million payments and at ten thousand, beside Flask-Admin.

`BENCH_ROWS=300000` takes another size than 5 M. Both sizes are filled into databases of their own
and served by the real application under gunicorn; each page is asked at both in turn, over four
connections without a pause. What a page costs is told by the server: wall time, CPU of its thread,
SQL statements. Flask-Admin (as it comes, and with its pager that counts nothing) answers beside it
on the same table. All of it goes to build/bench/pages.json.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from bench.asking_pages import Shop, filled_shop
from opsapp.kernel.embedded import start_postgres, start_redis

SMALL, LARGE = 10_000, 5_000_000
P95_MS_MAX, SEARCH_P95_MS_MAX, STATEMENTS_MAX, RATIO_MIN, FLAT_MAX = 60, 50, 6, 10, 1.5
ASKING_S_MAX = 1200  # what is not asked by then is told as missing
ROUNDS = 3
TWIN_S = 15  # of Flask-Admin's pages: no more requests are sent once it took so long
ROWS_SHOWN = 15
SAME_KB = 1.1
OUT = Path("build/bench/pages.json")
TODAY = datetime.now(UTC).date()
MONTH = {"since": TODAY - timedelta(days=30), "until": TODAY}
LONG_AGO = {"since": TODAY - timedelta(days=330), "until": TODAY - timedelta(days=300)}
QUARTER = {"since": TODAY - timedelta(days=90), "until": TODAY}

# The filters that each list's address knows (opsapp/insights/listing_*.py: read_wish).
LISTS: Mapping[str, tuple[str, list[dict[str, Any]]]] = {
    "payments": ("/console/payments/", [
        {"tab": "approved"}, {"tab": "failed"}, {"tab": "refunded"}, {"tab": "awaiting"},
        {"tab": "uncertain"}, {"status": "cancelled"}, {"method": "virtual_account"},
        {"method": "mobile"}, {"gateway": "stripe"}, {"gateway": "portone"}, {"kind": "one_off"},
        {"failure": "gateway_error"}, {"failure": "fraud_suspected"}, {"amount_from": 9_000_000},
        {"amount_from": 99_000_000}, {"amount_to": 10_000}, {"basis": "paid"}, MONTH, LONG_AGO,
        {"tab": "failed", **QUARTER}, {"basis": "paid", "gateway": "stripe"},
        {"q": "SHOP-000000300"}, {"q": "김래원"}, {"q": "ㄱㄹㅇ"}, {"q": "민서"}, {"q": "5678"},
        {"q": "433012"}, {"q": "00000017"}, {"q": "buyer77"}, {"q": "없는이름"},
    ]),
    "refunds": ("/console/refunds/", [
        {"status": "succeeded"}, {"status": "unknown"}, {"status": "refused"}, MONTH, LONG_AGO,
        {"q": "pay_1007"}, {"q": "김래원"}, {"status": "refused", **QUARTER},
    ]),
    "orders": ("/console/orders/?tab=orders", [
        {"q": "SHOP-000000300"}, {"q": "김래원"}, {"method": "virtual_account"},
        {"method": "mobile"}, MONTH, LONG_AGO,
    ]),
    "links": ("/console/orders/?tab=links", [
        {"status": "expired"}, {"status": "open"}, MONTH, {"q": "link_70"}, {"q": "김래원"},
    ]),
    "subscriptions": ("/console/subscriptions/", [
        {"tab": "active"}, {"tab": "past_due"}, {"tab": "suspended"}, {"q": "김래원"},
        {"method": "card"}, {"method": "virtual_account"}, {"expiring": "yes"}, {"plan": 3},
        {"since": TODAY, "until": TODAY + timedelta(days=7)}, {"tab": "paused"},
        {"since": TODAY - timedelta(days=9), "until": TODAY - timedelta(days=2)},
        {"tab": "past_due", "plan": 3, "expiring": "yes"},
    ]),
    "customers": ("/console/customers/", [
        {"q": "김래원"}, {"q": "ㄱㄹㅇ"}, {"q": "ㄱㄹ"}, {"q": "민서"}, {"q": "김"},
        {"q": "5678"}, {"q": "buyer77"},
    ]),
    "deposits": ("/console/deposits/?tab=awaiting", [{"gateway": "stripe"}, MONTH]),
    "cases": ("/console/deposits/?tab=unmatched", [
        {"reason": "short"}, {"reason": "late"}, MONTH, {"gateway": "stripe"},
    ]),
    "cash_receipts": ("/console/cash-receipts/", [
        {"status": "failed"}, {"status": "wanted"}, {"q": "000000077"}, MONTH,
    ]),
    "tickets": ("/console/tickets/?tab=all", [
        {"tab": "todo"}, {"tab": "unassigned"}, {"tab": "resolved"}, {"tab": "snoozed"},
        {"reason": "refund_stuck"}, {"reason": "no_such_reason"}, {"priority": "urgent"},
        {"assignee": 1}, {"customer": 77}, {"overdue": "yes"}, {"sort": "due"}, MONTH,
    ]),
    "notifications": ("/console/notifications/", [
        {"status": "failed"}, {"status": "queued"}, {"channel": "email"}, {"channel": "webpush"},
        {"channel": "fcm"}, {"customer": 77},
        {"kind": "payment_failed"}, {"kind": "price_change"}, MONTH, LONG_AGO,
    ]),
    "webhooks": ("/console/webhooks/", [
        {"status": "needs_human"}, {"status": "stored"}, {"gateway": "stripe"}, MONTH,
        LONG_AGO, {"q": "dlv_77"}, {"q": "gw_77"}, {"type": "PAYMENT_STATUS_CHANGED"},
        {"type": "NO_SUCH_EVENT"}, {"status": "applied", "gateway": "portone"},
    ]),
    "points": ("/console/points/", [{"q": "김래원"}]),
    "uncertain": ("/console/payments/uncertain/", [
        {"tab": "person"}, {"gateway": "stripe"}, {"kind": "refund"},
    ]),
    "recovery": ("/console/recovery/?view=list", [
        {"view": "board"}, {"stage": "first"}, {"stage": "stopped"}, {"reason": "gateway"},
        {"snoozed": "yes"},
    ]),
    "audit": ("/console/audit/", [
        {"actor": "staff:1"}, {"subject": "payment", "number": 7}, MONTH, LONG_AGO,
        {"actor": "staff:77"}, {"action": "payment.failed"}, {"action": "refund.requested"},
        {"subject": "payment"}, {"refused": "yes"},
    ]),
}  # fmt: skip
SEARCHES = (
    "김래원", "ㄱㄹㅇ", "ㄱㄹ", "민서", "김", "5678", "433012", "pay_77", "ord_77", "gw_77",
    "SHOP-000000300", "0000300", "00000077", "buyer77@naver.com", "buyer77", "없는이름", "ㅋㅋㅋ",
    "nosuchnumber", "77",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Bar:
    bar: str
    is_met: bool
    told: str


def run() -> dict[str, Any]:
    large = int(os.environ.get("BENCH_ROWS") or LARGE)
    with tempfile.TemporaryDirectory(prefix="opsapp-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        postgres = stack.enter_context(start_postgres(folder, fsync=False))
        redis = stack.enter_context(start_redis(folder))
        shops = []
        for payments in (SMALL, large):
            began = time.monotonic()
            shops.append(
                stack.enter_context(filled_shop(postgres.url, redis.url, payments, folder))
            )
            _say(f"{payments:,} payments and what goes with them: {time.monotonic() - began:.0f} s")
        small, big = shops
        beside = _ask_in_turn(big)
        pages, missing = _ask_all(small, big)
        rows = big.rows
    result = _judged(large, pages, missing, beside) | {"rows": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1, ensure_ascii=False))
    _show(result)
    return result


def _ask_in_turn(shop: Shop) -> dict[str, Any]:
    """The first page of the payments, ours and Flask-Admin's, by turns; the middle of each."""
    addresses = {
        "ours": LISTS["payments"][0],
        "flask_admin": "/twin/plain/",
        "flask_admin_simple_pager": "/twin/simple/",
    }
    told = [
        {name: shop.ask(page, most_s=TWIN_S) for name, page in addresses.items()}
        for _ in range(ROUNDS)
    ]
    return {
        name: sorted((turn[name] for turn in told), key=lambda one: float(one["rate"]))[ROUNDS // 2]
        for name in addresses
    }


def _ask_all(small: Shop, big: Shop) -> tuple[dict[str, Any], list[str]]:
    """Each page at both sizes, one right after the other: a busy machine is busy for both."""
    give_up_at = time.monotonic() + ASKING_S_MAX
    pages: dict[str, Any] = {}
    missing: list[str] = []
    for label, queries in _wanted().items():
        path, query = queries
        addresses = [shop.address(path, query) for shop in (small, big)]
        if addresses[1] is None:
            continue  # all of it stands on one page
        if time.monotonic() > give_up_at:
            missing.append(label)
            continue
        first = small.ask(addresses[0]) if addresses[0] else None
        pages[label] = {**big.ask(addresses[1]), "small": first}
        if len(pages) % 20 == 0:
            _say(f"{len(pages)} pages asked, the last one {label}")
    return pages, missing


def _wanted() -> dict[str, tuple[str, dict[str, Any] | None]]:
    """Path and filters by label; None for a page deep down the list."""
    wanted: dict[str, tuple[str, dict[str, Any] | None]] = {}
    for name, (path, filters) in LISTS.items():
        wanted[name], wanted[f"{name} deep"] = (path, {}), (path, None)
        for query in filters:
            told = " ".join(f"{key}={value}" for key, value in query.items())
            wanted[f"{name} {told}"] = (path, query)
    for text in SEARCHES:
        wanted[f"search {text}"] = (f"/console/search/hits?{urlencode({'q': text})}", {})
    return wanted


def _judged(
    large: int, pages: dict[str, Any], missing: list[str], beside: dict[str, Any]
) -> dict[str, Any]:
    """The figure is the slowest list page's."""
    lists = {label: told for label, told in pages.items() if not label.startswith("search ")}
    searches = {label: told for label, told in pages.items() if label.startswith("search ")}
    worst = _most(lists, "p95_ms")
    ours = beside["ours"]
    baselines = {
        name: {"figure": told["p95_ms"], "ratio": round(ours["rate"] / told["rate"], 1)}
        for name, told in beside.items()
        if name != "ours"
    }
    ratios = {name: told["ratio"] for name, told in baselines.items()}
    bars = [
        *_bars_of_time(lists, searches, missing),
        _bar_of_flatness(lists, large),
        _Bar(
            f"at least {RATIO_MIN} x Flask-Admin",
            ratios["flask_admin"] >= RATIO_MIN,
            f"{ratios['flask_admin']} x; {ratios['flask_admin_simple_pager']} x its simple pager",
        ),
    ]
    return {
        "name": "pages",
        "work": f"{len(lists)} list pages and {len(searches)} searches at {large:,} payments",
        "figure": lists[worst]["p95_ms"],
        "unit": f"ms at the server, p95 of the slowest list page ({worst})",
        "baselines": baselines,
        "cpu_ms_per_unit": {"web": ours["cpu_ms"]},
        "bars": [asdict(bar) for bar in bars],
        "is_met": all(bar.is_met for bar in bars),
        "missing": missing,
        "load": os.getloadavg()[2],
        "beside": beside,
        "pages": pages,
    }


def _bars_of_time(
    lists: dict[str, Any], searches: dict[str, Any], missing: list[str]
) -> list[_Bar]:
    worst, most = _most(lists, "p95_ms"), _most(lists, "statements")
    over = sum(told["p95_ms"] > P95_MS_MAX for told in lists.values())
    slowest = _most(searches, "p95_ms") if searches else ""
    return [
        _Bar(
            f"every list page within {P95_MS_MAX} ms (p95)",
            not over and not missing,
            f"{worst}: {lists[worst]['p95_ms']} ms; {over} of {len(lists)} over, "
            f"{len(missing)} not asked in time",
        ),
        _Bar(
            f"search within {SEARCH_P95_MS_MAX} ms (p95)",
            bool(searches) and searches[slowest]["p95_ms"] <= SEARCH_P95_MS_MAX,
            f"{slowest}: {searches[slowest]['p95_ms'] if searches else '-'} ms",
        ),
        _Bar(
            f"at most {STATEMENTS_MAX} statements a list page",
            lists[most]["statements"] <= STATEMENTS_MAX,
            f"{most}: {lists[most]['statements']}",
        ),
    ]


def _bar_of_flatness(lists: dict[str, Any], large: int) -> _Bar:
    """Of pages as full at both sizes: a filter that fits nothing in a small shop costs less."""
    flat = {
        label: round(told["p50_ms"] / told["small"]["p50_ms"], 2)
        for label, told in lists.items()
        if told["small"] and told["kb"] <= told["small"]["kb"] * SAME_KB
    }
    steepest, middle = max(flat, key=lambda label: flat[label]), round(median(flat.values()), 2)
    return _Bar(
        f"flat from {SMALL:,} to {large:,}: the middle page at most {FLAT_MAX} x",
        middle <= FLAT_MAX,
        f"{middle} x of {len(flat)} pages; payments {flat.get('payments', '-')} x; "
        f"the steepest, {steepest}, {flat[steepest]} x",
    )


def _most(pages: dict[str, Any], what: str) -> str:
    return max(pages, key=lambda label: pages[label][what])


def _show(result: Mapping[str, Any]) -> None:
    table = Table("page", "p50 ms", "p95 ms", f"p95 at {SMALL:,}", "CPU ms", "statements", "kB")
    by_time = sorted(result["pages"].items(), key=lambda item: -float(item[1]["p95_ms"]))
    firsts = [(label, result["pages"][label]) for label in LISTS if label in result["pages"]]
    for label, told in [*by_time[:ROWS_SHOWN], *firsts]:
        at_small = told["small"]["p95_ms"] if told["small"] else "-"
        cells = (told["p50_ms"], told["p95_ms"], at_small, told["cpu_ms"], told["statements"])
        table.add_row(label, *map(str, cells), str(told["kb"]))
    console = Console(width=120)
    console.print(table)
    for bar in result["bars"]:
        console.print(f"{'MET    ' if bar['is_met'] else 'NOT MET'} {bar['bar']}: {bar['told']}")
    console.print(f"All of it: {OUT}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
