"""Adding push addresses: a browser or an app that wants messages, and those that are gone."""

from collections.abc import Sequence

from sqlalchemy import delete

from opsapp.customers import queries
from opsapp.customers.models import PushAddress
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import blind_index, seal
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record, record_many

CHANNELS = ("webpush", "fcm")
ADDRESS_LENGTH_MAX = 8192  # the longest registration token; a browser's subscription is shorter
ADDRESSES_MAX = 10  # of one customer; the oldest makes room


@within_transaction
def add_push_address(customer_id: int, channel: str, address: str, *, by: Actor) -> None:
    """`address`: what the browser (its subscription, as JSON) or the app (its token) was given.

    It belongs to whoever named it last: a device changes hands. Raises NotFound, Invalid.
    """
    if channel not in CHANNELS:
        raise Invalid(field="channel", reason=f"is not one of {', '.join(CHANNELS)}.")
    if not address or len(address) > ADDRESS_LENGTH_MAX:
        raise Invalid(field="address", reason="is empty or too long.")
    queries.lock_customer(customer_id)
    index = blind_index(address)
    if queries.is_push_address_of(customer_id, channel, index):
        return
    db.session.execute(
        delete(PushAddress).where(
            PushAddress.channel == channel, PushAddress.address_index == index
        )
    )
    sealed = seal(address, context=queries.push_address_context(customer_id, channel))
    row = {
        "customer_id": customer_id,
        "channel": channel,
        "address_sealed": sealed,
        "address_index": index,
    }
    bulk_insert(PushAddress, [row], or_nothing=True)
    record(
        Entry("customer.push_address_added", "customer", customer_id, detail={"channel": channel}),
        by=by,
    )
    oldest = queries.list_push_addresses_beyond(customer_id, ADDRESSES_MAX)
    forget_push_addresses(oldest, because="newer ones took its place", by=by)


@within_transaction
def forget_push_addresses(address_ids: Sequence[int], *, because: str, by: Actor) -> None:
    """Those that are gone already are left out."""
    if not address_ids:
        return
    gone = db.session.execute(
        delete(PushAddress)
        .where(PushAddress.id.in_(address_ids))
        .returning(PushAddress.customer_id, PushAddress.channel)
    )
    record_many(
        [
            Entry(
                "customer.push_address_forgotten",
                "customer",
                row.customer_id,
                because=because,
                detail={"channel": row.channel},
            )
            for row in gone
        ],
        by=by,
    )
