from opsapp.kernel.errors import OpsError


class CodeIsKnown(OpsError):
    code = "failure_code_is_known"
    message = "The dictionary holds {code} of {source} already."
    remedy = "Open its entry and change that."


class CodeWasChanged(OpsError):
    code = "failure_code_was_changed"
    message = "Somebody has changed this code meanwhile: version {version} holds now."
    remedy = "Load the page again and look at the new version first."
