"""Which bulk jobs wait for a worker, and which job does them."""

from opsapp.bulk.jobs import RUN_BULK
from opsapp.bulk.models import BulkJob
from opsapp.bulk.states import OPEN
from opsapp.kernel.turns import Work

BULK_JOBS = Work(BulkJob, OPEN, RUN_BULK, "bulk_ids")
