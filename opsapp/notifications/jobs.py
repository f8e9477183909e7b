from opsapp.kernel.jobs import Job

# Above chunk budget + longest message + margins: a last resort, because it is a signal.
SEND_NOTICES = Job("notifications.send_notices", queue="notices", timeout_s=300)
