"""Releasing: the next event about an object may go once the one before it has ended."""

from collections.abc import Collection

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.shop_events import queries
from opsapp.shop_events.models import ShopDelivery
from opsapp.shop_events.states import DELIVERY, DeliveryStatus


@within_transaction
def release(
    endpoint_ids: Collection[int], object_keys: Collection[str] | None = None, *, by: Actor
) -> None:
    """The caller holds the addresses; None: of every object."""
    next_ones = queries.list_next(endpoint_ids, object_keys)
    moves = [
        RowMove(id_, DeliveryStatus.WAITING, DeliveryStatus.PENDING, "the one before it has ended")
        for id_ in next_ones
    ]
    DELIVERY.move_many(ShopDelivery, moves, by=by)
