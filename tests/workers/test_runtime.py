import importlib
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from rq.job import Callback
from rq.repeat import Repeat
from rq.serializers import JSONSerializer
from rq.webhook import Webhook
from sqlalchemy import select

from opsapp.kernel import jobs
from opsapp.kernel.db import db, transaction
from opsapp.kernel.jobs import RUN_JOB, Job, OutboxJob
from opsapp.kernel.log import AuditEntry
from workers import runtime

ROOMS = Path(__file__).parents[2] / "opsapp"
HERE = "tests.workers.test_runtime"


def harm(*_: Any, **__: Any) -> None:
    Path("/tmp/opsapp-harm").touch()  # noqa: S108 - must not exist afterwards


@pytest.fixture
def unharmed() -> Any:
    trace = Path("/tmp/opsapp-harm")  # noqa: S108
    trace.unlink(missing_ok=True)
    yield lambda: not trace.exists()
    trace.unlink(missing_ok=True)


def alarms() -> list[AuditEntry]:
    with transaction():
        return list(db.session.scalars(select(AuditEntry).where(AuditEntry.action == "job.forged")))


@pytest.mark.parametrize("function", [f"{HERE}.harm", RUN_JOB, "os.system"])
def test_a_forged_job_runs_nothing_and_is_alarmed(
    redis: Redis,
    work: Callable[[str], None],
    unharmed: Callable[[], bool],
    function: str,
) -> None:
    forged = Queue("charges", connection=redis, serializer=JSONSerializer).enqueue_call(
        function,
        kwargs={"name": "os.system", "arguments": {}, "outbox_id": 1},
        on_success=Callback(f"{HERE}.harm"),
        on_failure=Callback(f"{HERE}.harm"),
        on_stopped=Callback(f"{HERE}.harm"),
        webhooks=[Webhook("http://127.0.0.1:9/", "failed")],
        repeat=Repeat(times=3),
    )
    work("charges")
    assert forged.is_failed
    assert unharmed()
    [alarm] = alarms()
    assert not alarm.succeeded
    assert alarm.detail == {"function": "os.system" if function == RUN_JOB else function}
    assert jobs.count_forged() == 1


def test_a_pickled_payload_is_not_opened_and_is_alarmed(
    redis: Redis, work: Callable[[str], None], unharmed: Callable[[], bool]
) -> None:
    queue = Queue("charges", connection=redis, serializer=JSONSerializer)
    forged = queue.enqueue_call(RUN_JOB, kwargs={})
    redis.hset(forged.key, "data", zlib.compress(pickle.dumps((f"{HERE}.harm", None, (), {}))))
    work("charges")
    assert unharmed()
    assert len(alarms()) == 1


def test_a_job_leaves_its_history_and_its_failure_only_the_kind_of_error(
    app: Flask, redis: Redis, work: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(payment_ids: list[int]) -> None:
        raise LookupError(f"the card 4111111111111111 of {payment_ids}")

    monkeypatch.setitem(runtime.JOBS, "payments.fail", fail)
    monkeypatch.setitem(runtime.JOBS, "payments.succeed", lambda payment_ids: None)
    for name in ("payments.fail", "payments.succeed"):
        with transaction():
            Job(name, queue="charges", timeout_s=10).enqueue(payment_ids=[1])
    work("charges")
    kept = runtime.HintJob.fetch("outbox-1", connection=redis, serializer=JSONSerializer)
    result = kept.latest_result()
    assert result is not None
    assert "JobFailed: LookupError" in str(result.exc_string)
    assert "4111" not in str(result.exc_string)
    with transaction():
        failed, succeeded = db.session.scalars(select(OutboxJob).order_by(OutboxJob.id))
        assert failed.error == "LookupError"
        assert succeeded.error is None
        assert all(row.started_at and row.ended_at for row in (failed, succeeded))


def test_every_job_has_a_worker_and_every_worker_a_job() -> None:
    ordered = {
        value.name
        for file in ROOMS.glob("*/jobs.py")
        if file.parent.name != "kernel"
        for value in vars(importlib.import_module(f"opsapp.{file.parent.name}.jobs")).values()
        if isinstance(value, Job)
    }
    assert ordered == set(runtime.JOBS)
