"""Cash receipts that want a turn at their gateway, as the relay sees them."""

from opsapp.cash_receipts.jobs import EXECUTE_RECEIPTS
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.states import OPEN
from opsapp.kernel.turns import Work

RECEIPTS = Work(CashReceipt, OPEN, EXECUTE_RECEIPTS, "receipt_ids", lane="gateway_name")
