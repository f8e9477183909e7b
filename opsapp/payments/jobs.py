from opsapp.kernel.jobs import Job

# Above chunk budget + longest call + two margins: a last resort, because it is a signal.
EXECUTE_ATTEMPTS = Job("payments.execute_attempts", queue="charges", timeout_s=300)
EXECUTE_CHUNK = Job("payments.execute_attempts", queue="charges_bulk", timeout_s=300)
EXECUTE_REFUNDS = Job("payments.execute_refunds", queue="charges", timeout_s=300)
READ_EVENTS = Job("payments.read_events", queue="charges_bulk", timeout_s=300)
LOOK_INTO_LATEST = Job("payments.look_into_latest", queue="charges_bulk", timeout_s=300)
