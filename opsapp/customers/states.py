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
    BLOCKED = "blocked"
    DELETING = "deleting"
    NEEDS_HUMAN = "needs_human"
    DELETED = "deleted"


M = MethodStatus
OPEN = (M.REQUESTED, M.ISSUING, M.DELETING)
# The gateway may be asked for money with the billing key. Of an expired one too: what was sent
# before it expired may have to be sent again under its own key.
CHARGEABLE = (M.ACTIVE, M.EXPIRED)

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
        Move(M.ACTIVE, M.BLOCKED, "blocked: it is never charged"),
        Move(M.EXPIRED, M.BLOCKED, "blocked: it is never charged"),
        Move(M.BLOCKED, M.ACTIVE, "the block was lifted"),
        Move(M.ACTIVE, M.DELETING, "not wanted any more; to be deleted at the gateway too"),
        Move(M.EXPIRED, M.DELETING, "not wanted any more; to be deleted at the gateway too"),
        Move(M.BLOCKED, M.DELETING, "not wanted any more; to be deleted at the gateway too"),
        Move(M.DELETING, M.DELETING, "claimed, or no certain answer: asked again"),
        Move(M.DELETING, M.DELETED, "deleted at the gateway"),
        Move(M.DELETING, M.NEEDS_HUMAN, "no certain answer in many turns"),
        Move(M.NEEDS_HUMAN, M.DELETING, "staff ask for the deletion again"),
        Move(M.NEEDS_HUMAN, M.DELETED, "the gateway says that it is gone"),
        Move(M.REQUESTED, M.DELETED, "never registered, and no longer wanted"),
        Move(M.ACTIVE, M.DELETED, "needs no deletion at the gateway, or is gone there"),
        Move(M.EXPIRED, M.DELETED, "gone at the gateway"),
        Move(M.BLOCKED, M.DELETED, "needs no deletion at the gateway, or is gone there"),
        Move(M.REFUSED, M.DELETED, "deleted by the customer or by staff"),
    ],
)
