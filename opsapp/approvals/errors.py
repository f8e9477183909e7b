from opsapp.kernel.errors import OpsError


class ApprovalDecided(OpsError):
    code = "approval_decided"
    message = "This request is {status} already."
    remedy = "Load the page again."


class OwnApproval(OpsError):
    code = "own_approval"
    http_status = 403
    message = "Whoever asks does not decide."
    remedy = "A second person has to look at it."


class NotYourApproval(OpsError):
    code = "not_your_approval"
    http_status = 403
    message = "Only the person who asked for it can take it back."
    remedy = "Send it back with a comment instead."


class NotAnApprover(OpsError):
    code = "not_an_approver"
    http_status = 403
    message = "This account may not decide requests of others."
    remedy = "Ask somebody of finance or an administrator."


class ApprovalTooOld(OpsError):
    code = "approval_too_old"
    message = "The time for this decision is over: nothing is done."
    remedy = "Whoever asked has to ask again with the figures of today."


class MoneyPolicyChanged(OpsError):
    code = "money_policy_changed"
    message = "Meanwhile version {version} took effect."
    remedy = "Look at it and enter the change again."
