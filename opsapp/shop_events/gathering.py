"""Gathering: what the log has said since the last time becomes events, and sendings of them.

The cursor is a seal of the log. A seal holds whole transactions that have ended, in their order,
so what commits late stands in a later seal and is never passed over; and nobody who writes to the
log waits for this.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Insert,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    insert,
    select,
    union_all,
    update,
)

from opsapp.audit.queries import list_seal_sizes
from opsapp.kernel.db import db, within_transaction
from opsapp.shop_events import describing, queries, rules
from opsapp.shop_events.models import ShopDelivery, ShopEndpoint, ShopEvent, ShopEventCursor
from opsapp.shop_events.states import MOVING, DeliveryStatus, EndpointStatus

COUNTED = {"preserve_rowcount": True}
SEALS_MAX = 200
ENTRIES_MAX = 20_000  # of the log, in one transaction

# Of a random hexadecimal number, so that no reference ever passes for a card number.
_DIGITS, _LETTERS = "0123456789", "ghjkmnpqrs"


@within_transaction
def gather() -> int:
    """Take up the next seals; returns how many, 0 if there is none.

    One statement where nothing happened. Two at once do no harm: one finds nothing to do.
    """
    after = queries.lock_cursor()
    if after is None:
        return 0
    until, seal_count = _slice(list_seal_sizes(after, limit=SEALS_MAX))
    endpoint_ids = queries.lock_enabled_endpoints()
    last_event = queries.find_last_event_id()
    made: Any = db.session.execute(_events(after, until), execution_options=COUNTED)
    if made.rowcount and endpoint_ids:
        db.session.execute(_deliveries(last_event))
    db.session.execute(update(ShopEventCursor).values(seal_id=until))
    return seal_count


def _slice(sizes: Sequence[Any]) -> tuple[int, int]:
    """The last seal to take, and how many: the first, and those that fit beside it."""
    first_count = sizes[0][1]
    taken = [seal_id for seal_id, count in sizes if count - first_count <= ENTRIES_MAX]
    return int(taken[-1]), len(taken)


def _events(after: int, until: int) -> Insert:
    entries = describing.select_entries(after, until).cte("entries")
    told = union_all(*describing.list_sources(entries)).subquery("told")
    columns = dict(zip(describing.COLUMNS, told.c, strict=True))
    hexadecimal = func.replace(cast(func.gen_random_uuid(), Text), "-", "")
    ref = func.concat("evt_", func.translate(hexadecimal, _DIGITS, _LETTERS))
    source = select(*columns.values(), ref).order_by(
        columns["entry_id"], columns["type"].in_(rules.SETTLED)
    )
    return insert(ShopEvent).from_select(
        [*describing.COLUMNS, "ref"], source, include_defaults=False
    )


def _deliveries(after_event: int) -> Insert:
    """To every address that asked for it; what is about one object goes one after the other."""
    key = func.concat(ShopEvent.object_type, ":", ShopEvent.object_id)
    place = func.row_number().over(partition_by=[ShopEndpoint.id, key], order_by=ShopEvent.id)
    wanted = queries.is_wanted()
    enabled = ShopEndpoint.status == EndpointStatus.ENABLED.value
    moving = exists().where(
        ShopDelivery.endpoint_id == ShopEndpoint.id,
        ShopDelivery.object_key == key,
        ShopDelivery.status.in_([status.value for status in MOVING]),
    )
    status = case(
        (and_(place == 1, ~moving), DeliveryStatus.PENDING.value),
        else_=DeliveryStatus.WAITING.value,
    )
    source = (
        select(ShopEvent.id, ShopEndpoint.id, key, status)
        .join(ShopEndpoint, and_(enabled, wanted))
        .where(ShopEvent.id > after_event, ShopEvent.entry_id.is_not(None))
        .order_by(ShopEvent.id)
    )
    columns = ["event_id", "endpoint_id", "object_key", "status"]
    return insert(ShopDelivery).from_select(columns, source, include_defaults=False)
