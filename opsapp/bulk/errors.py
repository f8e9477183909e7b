from opsapp.kernel.errors import OpsError


class FilterMoved(OpsError):
    """Staff confirmed a number that is not what the filter finds now."""

    code = "filter_moved"
    message = "The filter fitted {seen} when it was shown, and fits {found} now."
    remedy = "Look at the list again and confirm the new number."


class NothingFits(OpsError):
    code = "nothing_fits"
    message = "Nothing fits the filter."
    remedy = "Choose another filter."


class TooMany(OpsError):
    code = "too_many"
    message = "{found} fit the filter; one job takes {most} at most."
    remedy = "Narrow the filter and order several jobs."


class JobIsOver(OpsError):
    code = "bulk_job_is_over"
    message = "The job is {status} already."
    remedy = "Nothing is left to be stopped."
