import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
from flask import Flask
from redis import Redis

from opsapp.kernel import embedded, jobs
from opsapp.kernel.jobs import count_waiting
from opsapp.kernel.processes import end, spawn
from tests.factories.payments import make_payments, order_ids, payment
from tests.gateway_controls import GatewayControls
from tests.waiting import until
from tests.workers.conftest import Start
from workers import relay

BULK = "charges_bulk.toss"
SLOW_S = 60.0  # several processes have to start first, on whatever machine


def test_a_due_row_becomes_one_hint_and_is_not_repeated_while_that_is_fresh(
    app: Flask, redis: Redis
) -> None:
    make_payments(3)
    relay.tick()
    relay.tick()
    assert count_waiting(BULK) == 1


def test_the_dearer_it_was_to_ask_what_is_due_the_longer_the_relay_rests(
    app: Flask, redis: Redis
) -> None:
    make_payments(1)
    rest = relay.Rest()
    rest.after(60.0)
    relay.tick(rest)
    assert count_waiting(BULK) == 0
    rest.after(0.0)
    relay.tick(rest)
    assert count_waiting(BULK) == 1


def test_an_emptied_redis_loses_hints_and_nothing_else(
    app: Flask, redis: Redis, work: Callable[[str], None], sandbox_url: str
) -> None:
    payments = make_payments(3)
    relay.tick()
    redis.flushdb()
    relay.tick()
    assert count_waiting(BULK) == 1
    work(BULK)
    assert [payment(each).status for each in payments] == ["paid"] * 3
    held = GatewayControls(sandbox_url).payments(*order_ids(payments))
    assert [each["status"] for each in held] == ["DONE"] * 3


def test_a_full_queue_gets_no_more_hints(app: Flask, redis: Redis) -> None:
    make_payments(1)
    redis.lpush(f"rq:queue:{BULK}", *["x"] * 40)
    relay.tick()
    assert count_waiting(BULK) == 40


def test_two_relays_and_two_workers_charge_each_payment_once(
    app: Flask, redis: Redis, start: Start, sandbox_url: str
) -> None:
    for kind in ("relay", "relay", BULK, BULK):
        start(kind)
    payments = make_payments(50)
    until(lambda: all(payment(each).status == "paid" for each in payments), limit_s=SLOW_S)
    held = GatewayControls(sandbox_url).payments(*order_ids(payments))
    assert [each["status"] for each in held] == ["DONE"] * 50


def test_a_relay_outlives_a_redis_that_goes_and_comes_back_empty(
    app: Flask, start: Start, tmp_path: Path
) -> None:
    server = embedded.prepare_redis(tmp_path)
    forgetful = replace(server.spec, argv=(*server.spec.argv, "--appendonly", "no"))
    process = spawn(forgetful, subprocess.DEVNULL)
    jobs.connect(server.url)
    until(jobs.redis_answers)
    watched = start("relay", REDIS_URL=server.url)
    [lost] = make_payments(1)
    until(lambda: count_waiting(BULK) == 1)
    process.kill()
    process.wait(30)
    [written_meanwhile] = make_payments(1)
    process = spawn(forgetful, subprocess.DEVNULL)
    until(jobs.redis_answers)
    start(BULK, REDIS_URL=server.url)
    both = (lost, written_meanwhile)
    until(lambda: all(payment(each).status == "paid" for each in both), limit_s=SLOW_S)
    assert watched.poll() is None
    end(process, forgetful)


def test_a_worker_without_redis_ends_so_that_it_is_started_again(
    start: Start, tmp_path: Path
) -> None:
    server = embedded.prepare_redis(tmp_path)
    watched = start(BULK, REDIS_URL=server.url)
    assert watched.wait(20) != 0


def test_a_relay_outlives_a_lost_database_connection_and_stops_when_asked(
    app: Flask, redis: Redis, start: Start, owner: psycopg.Connection, work: Callable[[str], None]
) -> None:
    watched = start("relay")
    make_payments(1)
    until(lambda: count_waiting(BULK) == 1)
    owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    work(BULK)
    make_payments(1)
    until(lambda: count_waiting(BULK) == 1)
    asked_at = time.monotonic()
    os.kill(watched.pid, signal.SIGTERM)
    assert watched.wait(5) == 0
    assert time.monotonic() - asked_at < 2


def test_what_falls_due_while_jobs_wait_for_every_worker_gathers_into_one(
    app: Flask, redis: Redis, owner: psycopg.Connection
) -> None:
    for _ in range(5):
        make_payments(2)
        relay.tick()
    assert count_waiting(BULK) == 2  # as many as there are workers
    redis.lpop(f"rq:queue:{BULK}")
    relay.tick()
    sizes = owner.execute(
        "SELECT jsonb_array_length(arguments->'attempt_ids') FROM outbox_jobs ORDER BY id"
    ).fetchall()
    assert [size for (size,) in sizes] == [2, 2, 6]
