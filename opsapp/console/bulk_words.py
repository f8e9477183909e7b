"""Words of bulk jobs. Keys of the catalogue, no text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActWord:
    """`button` takes {count}."""

    name: str
    button: str
    effect: str
    is_final: bool = False


ACT = {
    "pause": ActWord(
        "Pause",
        "Pause {count}",
        "No charge from now on; planned retries are taken back. Each can be resumed.",
    ),
    "resume": ActWord(
        "Resume",
        "Resume {count}",
        "They go on with the next period from today; what passed meanwhile is not charged.",
    ),
    "charge_now": ActWord(
        "Charge now",
        "Charge {count} now",
        "The oldest unpaid period is tried once more, or the next one is charged ahead of its day.",
    ),
    "cancel_at_period_end": ActWord(
        "Cancel at the end of the period",
        "Cancel {count} at the end of their period",
        "No further period is charged. Until its last day each can be taken back.",
    ),
    "cancel": ActWord(
        "Cancel now",
        "Cancel {count} now",
        "Charges, retries and notices are taken back at once. This cannot be undone.",
        is_final=True,
    ),
    "refund": ActWord(
        "Refund in full",
        "Refund {count}",
        "What is left of each payment is given back, to the way it was paid.",
        is_final=True,
    ),
    "retry": ActWord(
        "Try again",
        "Try {count} again",
        "Each failed payment of a subscription is charged once more at once, with its method.",
    ),
}
REFUSAL = {
    "other_state": "It is in another state now",
    "subscription_not_chargeable": "It cannot be charged in this state",
    "charge_under_way": "A payment is still under way",
    "charged_ahead": "Its next period is charged ahead already",
    "subscription_move_refused": "Its state does not allow it",
    "method_not_usable": "Its payment method cannot be used",
    "not_refundable": "Nothing can be given back of it",
    "refund_under_way": "Another refund is under way",
    "refundable_changed": "Another amount than was shown can be given back",
    "refund_month_over": "Its month is over: pay it back by bank transfer",
    "being_asked": "Its result is not certain yet",
    "needs_decision": "Its result is not certain yet",
    "not_to_be_retried": "It is no failed payment of a subscription",
    "recovery_act_refused": "It cannot be tried again now",
    "not_found": "It does not exist",
    "fault": "A fault of ours: look into the log",
}
FILLED_IN = ("This form cannot be read. Load the page again.",)
