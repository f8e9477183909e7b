"""The queues, each with worker processes of its own: RQ loses jobs of a worker with several."""

from opsapp.settings import Settings

CHARGES = "charges"  # a person waits for them
CHARGES_BULK = "charges_bulk"  # billing runs, retries, inquiries
NOTICES = "notices"

QUEUES = (CHARGES, CHARGES_BULK, NOTICES)


def process_count(queue: str, settings: Settings) -> int:
    """How many worker processes this queue wants on one machine."""
    return settings.bulk_worker_count if queue == CHARGES_BULK else 1
