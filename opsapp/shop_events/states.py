"""The life of one sending of one event to one address of the shop, and that of the address.

Of the sendings about one object only the oldest is under way; those behind it wait.
"""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class DeliveryStatus(StrEnum):
    WAITING = "waiting"
    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class EndpointStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


D = DeliveryStatus
E = EndpointStatus
MOVING = (D.PENDING, D.SENDING)
OPEN = (D.WAITING, *MOVING)

DELIVERY = StateMachine(
    "shop_delivery",
    start=D.PENDING,
    other_starts=(D.WAITING,),
    moves=[
        Move(D.WAITING, D.PENDING, "the one before it has ended"),
        Move(D.PENDING, D.SENDING, "claimed, to be sent"),
        Move(D.SENDING, D.SENDING, "the lease ran out; sent again"),
        Move(D.SENDING, D.PENDING, "the address did not take it; sent again later"),
        Move(D.SENDING, D.DELIVERED, "the address took it"),
        Move(D.SENDING, D.GIVEN_UP, "the address did not take it in three days"),
        *(Move(d, D.GIVEN_UP, "the address was disabled") for d in (D.WAITING, D.PENDING)),
        *(Move(d, D.WAITING, "staff want it sent again") for d in (D.DELIVERED, D.GIVEN_UP)),
    ],
)

ENDPOINT = StateMachine(
    "shop_endpoint",
    start=E.ENABLED,
    moves=[
        Move(E.ENABLED, E.DISABLED, "it wants no more, took nothing for days, or staff said so"),
        Move(E.DISABLED, E.ENABLED, "staff let it go on"),
    ],
)
