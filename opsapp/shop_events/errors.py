"""What the room of the shop's events refuses."""

from opsapp.kernel.errors import OpsError


class EndpointIsDisabled(OpsError):
    code = "endpoint_disabled"
    message = "Nothing is sent to a disabled address."
    remedy = "Enable it first."


class TooManyEndpoints(OpsError):
    code = "too_many_endpoints"
    message = "There are {count} addresses already."
    remedy = "Disable or change one of them."


class StillUnderWay(OpsError):
    code = "delivery_under_way"
    message = "It is still under way to this address."
    remedy = "Wait until it was taken or given up."
