"""The queues, each with worker processes of its own: RQ loses jobs of a worker with several.

Whatever may wait on a gateway has a queue per gateway ("charges.toss"), so that one that hangs
holds up nothing but itself.
"""

from opsapp.kernel.turns import Work
from opsapp.routing.queries import list_gateway_names

CHARGES = "charges"  # a person waits for them
CHARGES_BULK = "charges_bulk"  # billing runs, retries, inquiries
NOTICES = "notices"
BULK = "bulk"  # what staff ordered for many at once
EXPORTS = "exports"  # files for staff, minutes long
WEBHOOKS_OUT = "webhooks_out"  # addresses of the shop, however slow they are

LANED = (CHARGES, CHARGES_BULK)
PLAIN = (NOTICES, BULK, EXPORTS, WEBHOOKS_OUT)


def is_watchable(queue: str) -> bool:
    """Whether a worker for it may be asked for; which gateways there are is settled later."""
    base, _, lane = queue.partition(".")
    return bool(lane) if base in LANED else queue in PLAIN


def is_hurried(queue: str) -> bool:
    """Whether a person waits for what stands in it."""
    return queue.partition(".")[0] == CHARGES


def list_queues() -> list[str]:
    """All of this installation."""
    return [f"{base}.{lane}" for base in LANED for lane in list_gateway_names()] + [*PLAIN]


def lanes_of(work: Work) -> list[str]:
    return list_gateway_names() if work.lane else [""]
