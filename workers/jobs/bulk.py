from opsapp.bulk import running
from opsapp.kernel.actors import Actor
from workers.runtime import job


@job
def run(bulk_ids: list[int]) -> None:
    running.run_jobs(bulk_ids, by=Actor("worker", "bulk.run"))
