from opsapp.kernel.jobs import Job

# Above the chunk budget and one row: a last resort, because it is a signal.
RUN_BULK = Job("bulk.run", queue="bulk", timeout_s=300)
