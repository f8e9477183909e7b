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
