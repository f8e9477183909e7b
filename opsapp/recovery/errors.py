from opsapp.kernel.errors import OpsError


class PolicyIsNotDraft(OpsError):
    code = "recovery_policy_is_not_draft"
    message = "Version {version} is {status}."
    remedy = "Save the changes as a new version and turn that one on."


class PolicyWasChanged(OpsError):
    code = "recovery_policy_was_changed"
    message = "Another version has been turned on meanwhile: version {version}."
    remedy = "Load the page again and compare with what holds now."


class CohortIsNeeded(OpsError):
    code = "recovery_cohort_is_needed"
    message = "Cohort A takes every subscription that no other cohort has."
    remedy = "Turn on another version of cohort A instead."


class NothingToRecover(OpsError):
    code = "recovery_is_over"
    message = "This recovery is over."
    remedy = "Load the page again: it may have been paid or given up meanwhile."
