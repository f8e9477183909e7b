"""Which queues there are, and that `opsapp up` starts a worker for each of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from opsapp.cli.up import Addresses, Wishes, _workers
from workers.queues import is_watchable, list_queues

WISHES = Wishes(port=1, data_dir=Path(), bulk_worker_count=2, ready_file=None, with_demo=False)
ADDRESSES = Addresses(database_url="", redis_url="", sandbox_port=None, servers=())
SECOND = {
    "OPSAPP_PORTONE_SECRET": "secret",
    "OPSAPP_PORTONE_STORE_ID": "store",
    "OPSAPP_PORTONE_CHANNELS": "card=channel",
}


def kinds(child: dict[str, str]) -> list[str]:
    specs = _workers(WISHES, ADDRESSES, child)
    return [spec.argv[-1] for spec in specs if spec.group == "worker"]


def test_with_one_gateway_as_many_processes_run_as_there_were_without_lanes(
    app: Flask, environment: Callable[[], dict[str, str]]
) -> None:
    started = kinds(environment())
    assert started == [
        "charges.toss",
        "charges_bulk.toss",
        "charges_bulk.toss",
        "notices",
        "bulk",
        "exports",
        "webhooks_out",
    ]
    assert set(started) == set(list_queues())


def test_each_further_gateway_gets_workers_of_its_own(
    environment: Callable[[], dict[str, str]],
) -> None:
    started = kinds(environment() | SECOND)
    assert [kind for kind in started if kind.endswith(".portone")] == [
        "charges.portone",
        "charges_bulk.portone",
        "charges_bulk.portone",
    ]


@pytest.mark.parametrize(
    ("queue", "may"),
    [
        ("charges.toss", True),
        ("charges_bulk.portone", True),
        ("notices", True),
        ("charges", False),
        ("charges.", False),
        ("notices.toss", False),
        ("nonsense", False),
    ],
)
def test_a_queue_that_may_wait_on_a_gateway_names_it(queue: str, may: bool) -> None:
    assert is_watchable(queue) is may
