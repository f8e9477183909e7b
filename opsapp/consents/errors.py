from opsapp.kernel.errors import OpsError


class TermsWereChanged(OpsError):
    code = "terms_were_changed"
    message = "Somebody has published version {version} meanwhile."
    remedy = "Read it, then decide whether yours is still needed."


class UnknownVariable(OpsError):
    code = "unknown_variable"
    http_status = 422
    message = "{variable} is not known here."
    remedy = "Known are: {known}."


class MissingVariable(OpsError):
    code = "missing_variable"
    http_status = 422
    message = "The text has to name {variable}."
    remedy = "Without it people do not know what they agree to."


class TextChanged(OpsError):
    code = "consent_text_changed"
    message = "What you are asked to agree to has changed since the page was opened."
    remedy = "Please read it once more; nothing was agreed to."


class ConsentOver(OpsError):
    code = "consent_over"
    message = "This consent was withdrawn already."
    remedy = "Load the page again."


class NoTerms(OpsError):
    code = "no_terms"
    http_status = 500
    message = "There is no text of this kind to agree to."
    remedy = "Publish one under Terms."
