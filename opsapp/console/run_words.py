"""What billing runs and the billing calendar say. Keys of the catalogue, no text."""

OUTCOME = {
    "paid": "Approved",
    "under_way": "In progress",
    "uncertain": "Uncertain",
    "awaiting_deposit": "Awaiting deposit",
    "retrying": "Will be tried again",
    "failed": "Failed",
    "cancelled": "Withdrawn",
}
RUN_ACTION = {"pause": "Hold the run", "resume": "Let the run go on"}
RUN_STEP = {
    "running": "Charges are being made and sent.",
    "paused": "No new charge is made, and what was never sent waits. Later days wait too.",
    "done": "Everything of the day has been sent and answered.",
}
SHOWN = {
    "planned": "Planned",
    "paid": "Collected",
    "failed": "Failed",
    "refunded": "Refunded",
}
MEASURE = {"count": "Count", "amount": "Amount"}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# What is written into the log, as people read it.
BECAUSE = (
    "another sum or day was announced",
    "it was not announced in time",
    "its trial is over",
    "nothing is left to do",
    "something else fell due",
    "the billing run goes on",
    "the billing run is paused",
    "Mon",
    "Tue",
    "Wed",
    "Thu",
    "Fri",
    "Sat",
    "Sun",
    "Give a reason of 5 to 300 characters.",
    "billing run",
)
