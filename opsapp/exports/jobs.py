from opsapp.kernel.jobs import Job

# A last resort: a file of a million rows takes minutes, and begins again if it is cut off.
WRITE_EXPORTS = Job("exports.write", queue="exports", timeout_s=3_600)
