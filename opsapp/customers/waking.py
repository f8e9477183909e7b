"""Payment methods that still want a billing key, as the relay sees them."""

from opsapp.customers.jobs import ISSUE_BILLING_KEYS
from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import OPEN
from opsapp.kernel.turns import Work

METHODS = Work(PaymentMethod, OPEN, ISSUE_BILLING_KEYS, "method_ids", lane="gateway_name")
