"""What surrounds every job: the allow-list, an application context, log fields, the history.

Whoever can write to Redis must not run code here: a worker agrees to one function, and that one
to the names in JOBS. Anything else is refused and alarmed.
"""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

import structlog
from flask import Flask
from rq.exceptions import DeserializationError
from rq.job import Job
from structlog.contextvars import bound_contextvars

from opsapp.kernel import jobs, log as audit_log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db

log = structlog.get_logger(__name__)

JOBS: dict[str, Callable[..., None]] = {}
_GUARD = Actor("worker", "runtime")
_UNREADABLE = "(unreadable)"

_app: Flask | None = None


class ForgedJob(Exception):
    """Something in Redis asks for what is not a job of ours."""


class JobFailed(Exception):
    """All that RQ may keep of a failure in Redis: the kind. The text may hold personal data."""


class HintJob(Job):
    """A job that can only ever be run_job; what else its hash asks for is dropped."""

    @property
    def func(self) -> Callable[..., None]:
        if self.func_name != jobs.RUN_JOB or self.instance is not None:
            return partial(_refuse, str(self.func_name))
        return run_job

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = None
        self._stopped_callback_name = None
        self.webhooks = []
        self.retries_left = self.repeats_left = None
        self._dependency_ids = []


def use(app: Flask) -> None:
    """Called once, before the first job."""
    global _app  # noqa: PLW0603 - one application per process
    _app = app


def job(function: Callable[..., None]) -> Callable[..., None]:
    """Register `workers.jobs.<room>.<verb>` as the job `<room>.<verb>`."""
    JOBS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function
    return function


def run_job(name: str, arguments: dict[str, Any], outbox_id: int) -> None:
    """Do one job and keep its history. Raises ForgedJob."""
    work = JOBS.get(name)
    if work is None:
        _refuse(name)
    else:
        with _application().app_context(), bound_contextvars(job=name, outbox_id=outbox_id):
            came_from = audit_log.origin.set(
                audit_log.Origin(address="worker", request_id=f"outbox-{outbox_id}")
            )
            try:
                _run(work, arguments, outbox_id)
            finally:
                audit_log.origin.reset(came_from)


def note_unreadable(
    _job: Job,
    kind: type[BaseException],
    _value: BaseException,
    _traceback: TracebackType | None,
) -> bool:
    """RQ's exception handler: a payload that is not ours to read is an alarm too."""
    if issubclass(kind, DeserializationError):
        _alarm(_UNREADABLE)
    return True


def _run(work: Callable[..., None], arguments: dict[str, Any], outbox_id: int) -> None:
    log.info("job.started")
    jobs.note_started(outbox_id)
    failure = None
    try:
        work(**arguments)
    except Exception as error:  # the job's time limit is one too
        log.exception("job.failed")
        failure = type(error).__name__
        # Its time limit may have interrupted a statement: the next job gets connections of its own.
        db.session.remove()
        db.engine.dispose()
    jobs.note_ended(outbox_id, error=failure)
    if failure is not None:
        raise JobFailed(failure)
    log.info("job.ended")


def _refuse(function: str, *_args: object, **_kwargs: object) -> None:
    _alarm(function)
    raise ForgedJob(function)


def _alarm(function: str) -> None:
    log.error("job.forged", function=function[: jobs.FORGED_NAME_MAX])
    with _application().app_context():
        jobs.note_forged(function, by=_GUARD)


def _application() -> Flask:
    if _app is None:
        raise RuntimeError("runtime.use() has not run")
    return _app
