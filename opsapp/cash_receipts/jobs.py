from opsapp.kernel.jobs import Job

EXECUTE_RECEIPTS = Job("cash_receipts.execute_receipts", queue="charges_bulk", timeout_s=300)
