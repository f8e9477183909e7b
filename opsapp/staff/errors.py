from opsapp.kernel.errors import OpsError


class SignInRefused(OpsError):
    """The same words for a wrong password, an unknown address and a locked account."""

    code = "sign_in_refused"
    http_status = 401
    message = "The e-mail or the password is wrong, or the account is locked."
    remedy = "After 10 wrong tries it stays locked for 30 minutes; an administrator can help."


class TooManyTries(OpsError):
    code = "too_many_tries"
    http_status = 429
    message = "Too many wrong tries from this address."
    remedy = "Wait 15 minutes and try again."


class NotYourself(OpsError):
    code = "not_yourself"
    http_status = 403
    message = "Nobody changes his own account."
    remedy = "Ask another administrator."


class LastAdministrator(OpsError):
    code = "last_administrator"
    message = "This is the last active administrator."
    remedy = "Make another account an administrator first."


class EmailTaken(OpsError):
    code = "email_taken"
    http_status = 422
    message = "An account with this e-mail exists."
    remedy = "Use another address, or enable the existing account."


class TooManyViews(OpsError):
    code = "too_many_views"
    http_status = 422
    message = "You have {count} saved views already."
    remedy = "Delete one that you no longer use."


class ViewNameTaken(OpsError):
    code = "view_name_taken"
    http_status = 422
    message = "You have a view of this name for this list."
    remedy = "Choose another name, or save the filters into the existing view."


class ViewOfAnother(OpsError):
    code = "view_of_another"
    http_status = 403
    message = "This view belongs to somebody else."
    remedy = "Save a copy under a name of your own."
