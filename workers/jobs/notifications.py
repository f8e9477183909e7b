from opsapp.kernel.actors import Actor
from opsapp.notifications import delivering
from workers.runtime import job


@job
def send_notices(notice_ids: list[int]) -> None:
    delivering.send_notices(notice_ids, by=Actor("worker", "notifications.send_notices"))
