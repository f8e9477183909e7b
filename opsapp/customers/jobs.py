from opsapp.kernel.jobs import Job

ISSUE_BILLING_KEYS = Job("customers.issue_billing_keys", queue="charges_bulk", timeout_s=300)
