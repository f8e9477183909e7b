"""A worker process: takes hints from one queue and forks a child for each."""

import ctypes
import gc
import signal
import sys
from types import FrameType

import structlog
from redis import Redis, RedisError
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from opsapp import create_app
from opsapp.kernel.diagnostics import name_process
from opsapp.settings import current
from workers import jobs, runtime
from workers.queues import list_queues

log = structlog.get_logger(__name__)

PRELOADED = jobs.__all__  # every module a job needs is in memory before the first fork

_PR_SET_PDEATHSIG = 1


class HintWorker(Worker):
    """RQ's forking worker. It says nothing itself: workers.runtime tells of every job."""

    max_connection_wait_time = 2.0  # hints are given again anyway
    is_asked_to_stop = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.is_asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        _die_with_parent()
        runtime.forget_connections()
        super().main_work_horse(job, queue)


def work(queue: str) -> None:
    """Serve one queue until SIGTERM; a job in hand is finished first, a second SIGTERM ends it.

    Raises SystemExit: 1 on a Redis error, so that the supervisor starts it again, or a sentence
    for a queue that this installation does not have.
    """
    name_process(queue)
    runtime.use(create_app())
    if queue not in list_queues():
        raise SystemExit(f"no queue {queue}: there are {', '.join(list_queues())}")
    worker = new_worker(queue, Redis.from_url(current().redis_url))
    gc.freeze()  # children share these pages for as long as nobody writes to them
    try:
        # RQ's own lines quote texts of exceptions, which may hold personal data.
        worker.work(logging_level="CRITICAL")
    except RedisError as error:
        log.warning("worker.redis_away", error=type(error).__name__)
    if not worker.is_asked_to_stop:
        log.warning("worker.ended_unasked")
        raise SystemExit(1)


def new_worker(queue: str, connection: Redis) -> HintWorker:
    """`connection` must be its own: RQ raises the socket timeout of the pool it is given."""
    return HintWorker(
        [Queue(queue, connection=connection, serializer=JSONSerializer)],
        connection=connection,
        job_class=runtime.HintJob,
        serializer=JSONSerializer,
        log_job_description=False,
        exception_handlers=[runtime.note_unreadable],
    )


def _die_with_parent() -> None:
    """Nothing moves money unsupervised. What a killed child had in hand is inquired later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
