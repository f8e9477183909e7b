from opsapp.kernel.jobs import Job

# Above chunk budget + longest call + margins: a last resort, because it is a signal.
DELIVER_EVENTS = Job("shop_events.deliver_events", queue="webhooks_out", timeout_s=300)
