"""The life of a payment method: a billing key is issued once at the gateway, then used."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine

KINDS = ("card", "transfer", "easy_pay", "virtual_account")


class MethodStatus(StrEnum):
    REQUESTED = "requested"
    ISSUING = "issuing"
    ACTIVE = "active"
    REFUSED = "refused"
    EXPIRED = "expired"
    NEEDS_HUMAN = "needs_human"
    DELETED = "deleted"


M = MethodStatus
OPEN = (M.REQUESTED, M.ISSUING)

METHOD = StateMachine(
    "payment_method",
    start=M.REQUESTED,
    moves=[
        Move(M.REQUESTED, M.ISSUING, "claimed; the gateway is asked for a billing key"),
        Move(M.ISSUING, M.ISSUING, "the lease ran out; asked again under the same key"),
        Move(M.ISSUING, M.REQUESTED, "no certain answer; the same request is sent again"),
        Move(M.ISSUING, M.ACTIVE, "the gateway issued a billing key"),
        Move(M.REQUESTED, M.ACTIVE, "needs no billing key: an account is issued per payment"),
        Move(M.ISSUING, M.REFUSED, "the gateway refused"),
        Move(M.ISSUING, M.NEEDS_HUMAN, "no certain answer in many turns"),
        Move(M.REQUESTED, M.NEEDS_HUMAN, "no certain answer in many turns"),
        Move(M.NEEDS_HUMAN, M.REQUESTED, "staff ask for it again"),
        Move(M.ACTIVE, M.EXPIRED, "a charge failed because it expired, or its date has passed"),
        Move(M.REQUESTED, M.DELETED, "never registered, and no longer wanted"),
        Move(M.ACTIVE, M.DELETED, "deleted by the customer or by staff"),
        Move(M.EXPIRED, M.DELETED, "deleted by the customer or by staff"),
        Move(M.REFUSED, M.DELETED, "deleted by the customer or by staff"),
    ],
)
