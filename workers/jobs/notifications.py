from opsapp.kernel.actors import Actor
from opsapp.notifications import sending
from workers.runtime import job


@job
def send_notices(notice_ids: list[int]) -> None:
    sending.send_notices(notice_ids, by=Actor("worker", "notifications.send_notices"))
