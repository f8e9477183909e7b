"""The queues, each with worker processes of its own: RQ loses jobs of a worker with several."""

CHARGES = "charges"  # a person waits for them
CHARGES_BULK = "charges_bulk"  # billing runs, retries, inquiries
NOTICES = "notices"

QUEUES = (CHARGES, CHARGES_BULK, NOTICES)
