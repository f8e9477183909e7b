"""Which rows of this room wait for a worker, and which job does them."""

from opsapp.kernel.turns import Work
from opsapp.payments.jobs import EXECUTE_CHUNK, EXECUTE_REFUNDS, READ_EVENTS
from opsapp.payments.models import Attempt, GatewayEvent, Refund
from opsapp.payments.states import EVENT_OPEN, OPEN, REFUND_OPEN

ATTEMPTS = Work(Attempt, OPEN, EXECUTE_CHUNK, "attempt_ids", lane="gateway_name")
REFUNDS = Work(Refund, REFUND_OPEN, EXECUTE_REFUNDS, "refund_ids", lane="gateway_name")
EVENTS = Work(GatewayEvent, EVENT_OPEN, READ_EVENTS, "event_ids", lane="gateway_name")
