"""Which rows of this room wait for a worker, and which job does them."""

from opsapp.kernel.turns import Work
from opsapp.payments.jobs import EXECUTE_CHUNK, EXECUTE_REFUNDS
from opsapp.payments.models import Attempt, Refund
from opsapp.payments.states import OPEN, REFUND_OPEN

ATTEMPTS = Work(Attempt, OPEN, EXECUTE_CHUNK, "attempt_ids")
REFUNDS = Work(Refund, REFUND_OPEN, EXECUTE_REFUNDS, "refund_ids")
