from opsapp.kernel.jobs import Job

ISSUE_BILLING_KEYS = Job("customers.issue_billing_keys", queue="charges_bulk", timeout_s=300)
ANSWER_SIGN_INS = Job("customers.answer_sign_ins", queue="notices", timeout_s=300)
