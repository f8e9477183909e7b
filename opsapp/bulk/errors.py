from opsapp.kernel.errors import OpsError


class FilterMoved(OpsError):
    """Staff confirmed a number that is not what the filter finds now."""

    code = "filter_moved"
    message = "The filter fitted {seen} when it was shown, and fits {found} now."
    remedy = "Look at the list again and confirm the new number."


class SumMoved(OpsError):
    code = "sum_moved"
    message = "The sum that would go back is another one than was shown."
    remedy = "Look at the list again and confirm the new sum."


class NothingFits(OpsError):
    code = "nothing_fits"
    message = "Nothing fits the filter."
    remedy = "Choose another filter."


class TooMany(OpsError):
    code = "too_many"
    message = "{found} fit the filter; one job takes {most} at most."
    remedy = "Narrow the filter and order several jobs."


class JobHasBegun(OpsError):
    code = "bulk_job_has_begun"
    message = "The job is {status} already."
    remedy = "It can only be stopped now."


class NotToBeRetried(OpsError):
    code = "not_to_be_retried"
    message = "No recovery of this payment is open."
    remedy = "Only the failed payment of a subscription can be tried again."


class JobIsOver(OpsError):
    code = "bulk_job_is_over"
    message = "The job is {status} already."
    remedy = "Nothing is left to be stopped."
