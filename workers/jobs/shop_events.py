from opsapp.kernel.actors import Actor
from opsapp.shop_events import delivering
from workers.runtime import job


@job
def deliver_events(delivery_ids: list[int]) -> None:
    delivering.deliver_events(delivery_ids, by=Actor("worker", "shop_events.deliver_events"))
