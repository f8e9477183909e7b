from opsapp.kernel.errors import OpsError


class RequestUnderWay(OpsError):
    code = "request_under_way"
    message = "The same request is being worked on."
    remedy = "Send it again in a second: it is answered once it is done."


class KeyReused(OpsError):
    code = "idempotency_key_reused"
    message = "This idempotency key was used for another request."
    remedy = "Use a new key for every new request, and the same one only to repeat it."


class AnswerLost(OpsError):
    """Its encryption key is gone from the ring: the request was done, what it said is unknown."""

    code = "answer_lost"
    message = "This request was done, but its answer cannot be read any more."
    remedy = "Read the object that it was about."


class KeyEnded(OpsError):
    code = "api_key_ended"
    message = "This API key is revoked or expired already."
    remedy = "Make a new one."


class InstallationDiffers(OpsError):
    code = "installation_differs"
    http_status = 503
    message = "This database holds {held} data, and the program was started for {wanted} data."
    remedy = "Check DATABASE_URL and OPSAPP_MODE: the two are never mixed."
