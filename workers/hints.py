"""A worker process: takes hints from one queue and does them one after another.

No child is forked for a job. What a job has in hand is leased in PostgreSQL and asked about again
whoever dies, so a child protects nothing; it cost 80 ms of CPU, and lost the open connection and
the compiled statements that the next refund is waiting for.
"""

import os
from contextlib import suppress
from pathlib import Path
from types import FrameType

import structlog
from redis import Redis, RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from opsapp import create_app
from opsapp.kernel import loops, memory
from opsapp.kernel.diagnostics import name_process
from opsapp.settings import current
from workers import jobs, runtime
from workers.queues import is_hurried, list_queues

log = structlog.get_logger(__name__)

PRELOADED = jobs.__all__  # every module a job needs is in memory before the first one

# Where nobody waits, the processor is left to those for whom somebody does.
YIELDING = 10


class HintWorker(SimpleWorker):
    """RQ's own, without its fork and silent: workers.runtime tells of every job."""

    max_connection_wait_time = 2.0  # hints are given again anyway
    is_asked_to_stop = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.is_asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


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
    if not is_hurried(queue):
        _yield_processor()
    loops.keep_loop()
    memory.keep_for_good()
    try:
        # RQ's own lines quote texts of exceptions, which may hold personal data.
        worker.work(logging_level="CRITICAL")
    except RedisError as error:
        log.warning("worker.redis_away", error=type(error).__name__)
    loops.end_loop()
    if not worker.is_asked_to_stop:
        log.warning("worker.ended_unasked")
        raise SystemExit(1)


def _yield_processor() -> None:
    """Linux weighs whole sessions first, and each worker has one of its own where `opsapp up`
    started it: there niceness alone would only count among its own threads.
    """
    os.nice(YIELDING)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(YIELDING))


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
