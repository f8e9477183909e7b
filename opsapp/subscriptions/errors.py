from opsapp.kernel.errors import OpsError


class NotChargeable(OpsError):
    code = "subscription_not_chargeable"
    message = "The subscription is {status}."
    remedy = "Only an active or past due subscription can be charged."


class ChargeUnderWay(OpsError):
    code = "charge_under_way"
    message = "A payment of this subscription is still under way."
    remedy = "Wait until the gateway has answered, or the customer has paid in."


class ChargedAhead(OpsError):
    code = "charged_ahead"
    message = "The period of {day} has been charged ahead of its day already."
    remedy = "Wait until that day, or place an order for anything else."


class LastPeriodCharged(OpsError):
    code = "last_period_charged"
    message = "Its last period is charged already; it ends on {day}."
    remedy = "Place an order for anything else."


class MoveRefused(OpsError):
    code = "subscription_move_refused"
    message = "A subscription that is {status} cannot be {wanted}."
    remedy = "Look at the subscription again: it may have changed meanwhile."


class ContractDiffers(OpsError):
    code = "contract_differs"
    message = "This contract is here already with {held}, not with {wanted}."
    remedy = "Change it in the console; an import adds contracts only."


class RunMoveRefused(OpsError):
    code = "billing_run_move_refused"
    message = "A billing run that is {status} cannot become {wanted}."
    remedy = "Look at the run again: it may have changed meanwhile."


class NothingToCatchUp(OpsError):
    code = "nothing_to_catch_up"
    message = "No subscription is more than one period behind without approval."
    remedy = "Look at the list again: it may have changed meanwhile."


class NothingToAgreeTo(OpsError):
    code = "nothing_to_agree_to"
    message = "There is nothing to agree to just now."
    remedy = "Open the link of our latest message."


class ChangeBlocked(OpsError):
    code = "change_blocked"
    message = "Changes of this subscription are blocked ({cause})."
    remedy = "Lift the block first, or ask whoever placed it."


class ConsentTakenBack(OpsError):
    code = "consent_taken_back"
    message = "The agreement to recurring payment was taken back."
    remedy = "To go on, subscribe anew: without it nothing may be charged."


class ChangeUnderWay(OpsError):
    code = "change_under_way"
    message = "The difference for another change is just being paid."
    remedy = "Wait until it is paid, or withdraw that change."


class ChangeIsOver(OpsError):
    code = "change_is_over"
    message = "This change cannot be withdrawn any more."
    remedy = "Look at the subscription again; change it once more if it is not right."


class NothingChanges(OpsError):
    code = "nothing_changes"
    http_status = 422
    message = "This is how the subscription stands already."
    remedy = "Choose another plan, quantity or billing day."


class FiguresChanged(OpsError):
    code = "figures_changed"
    message = "The figures have changed since they were shown; nothing was done."
    remedy = "Look at the new ones and confirm again."


class ConsentMissing(OpsError):
    """The law wants it within the 30 days before the charge."""

    code = "consent_missing"
    message = "It must not be charged now: {because}."
    remedy = "Send the customer the link to agree, or withdraw what costs more."


class CannotRecover(OpsError):
    code = "recovery_act_refused"
    message = "{reason}"
    remedy = "Load the page again: the state may have changed meanwhile."


class ChangedMeanwhile(OpsError):
    code = "changed_meanwhile"
    message = "Something has changed since the page was opened."
    remedy = "Go back and load the page again; nothing was done."


class BillingHeld(OpsError):
    code = "billing_held"
    message = "Charges of this subscription are held."
    remedy = "Release the hold first."


class TooManyTries(OpsError):
    code = "too_many_tries"
    http_status = 429
    message = "This was tried too often today."
    remedy = "Register another payment method, or try again tomorrow."
