"""The baseline of one RQ job per charge: RQ's own forking worker, preloaded, on our very jobs.

`python -m bench.forking order` plans what is due and puts one attempt into each job; without a
word it is a worker. Both take the installation from the environment.
"""

import gc
import sys

from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from opsapp import create_app
from opsapp.kernel import jobs, turns
from opsapp.kernel.db import db, transaction
from opsapp.payments.waking import ATTEMPTS
from opsapp.settings import current
from opsapp.subscriptions import renewing
from workers import jobs as preloaded, runtime

LANE = "toss"
SLICE = 200


class ForkingWorker(Worker):
    """As RQ documents it, with everything that a job needs loaded before the fork."""

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        with app.app_context():
            db.engine.dispose(close=False)
        super().main_work_horse(job, queue)


def order() -> int:
    """Returns how many attempts were planned, each as a job of its own."""
    with app.app_context():
        taken = SLICE
        while taken:
            with transaction():
                taken = renewing.renew_due(limit=SLICE)
        with transaction():
            count = turns.wake(ATTEMPTS, rows_max=1_000_000, lane=LANE)
        while jobs.deliver():
            pass
    return count


def work() -> None:
    runtime.use(app)
    connection = Redis.from_url(current().redis_url)
    gc.freeze()
    ForkingWorker(
        [Queue(ATTEMPTS.job.queue_of(LANE), connection=connection, serializer=JSONSerializer)],
        connection=connection,
        job_class=runtime.HintJob,
        serializer=JSONSerializer,
        log_job_description=False,
    ).work(logging_level="CRITICAL")


if __name__ == "__main__":
    assert preloaded.__all__
    app = create_app()
    if sys.argv[1:] == ["order"]:
        print(order())
    else:
        work()
