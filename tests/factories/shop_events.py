"""Addresses of a shop, and events told to them, through the real verbs."""

from datetime import timedelta

from sqlalchemy import select, update

from opsapp.audit import queries as audit, sealing
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.turns import is_claimable
from opsapp.shop_events import delivering, gathering, registering
from opsapp.shop_events.models import ShopDelivery, ShopEvent
from opsapp.shop_events.registering import EndpointWish
from tests.waiting import until

BY = Actor("cli", "test")


def add_endpoint(url: str, *types: str) -> tuple[int, str]:
    with transaction():
        return registering.register(EndpointWish(url, list(types)), by=BY)


def gather() -> None:
    """Seal what the log says, once whoever else writes to this server has ended, and tell it."""
    until(_is_sealed)
    gathered = 1
    while gathered:
        with transaction():
            gathered = gathering.gather()


def _is_sealed() -> bool:
    with transaction():
        while sealing.seal():
            pass
        return audit.find_oldest_unsealed_at() is None


def deliver(rounds: int = 40) -> int:
    """As relay and worker do, until nothing is due; returns how many rounds that took."""
    for done in range(rounds):
        with transaction():
            due = select(ShopDelivery.id).where(
                ShopDelivery.status.in_(["pending", "sending"]),
                is_claimable(ShopDelivery),
            )
            ids = list(db.session.scalars(due.order_by(ShopDelivery.due_at)))
        if not ids:
            return done
        delivering.deliver_events(ids, by=BY)
    raise AssertionError("it does not come to an end")


def wait_for_next_try() -> None:
    """The waits are over."""
    with transaction():
        db.session.execute(update(ShopDelivery).values(due_at=clock.now() - timedelta(seconds=1)))


def events() -> list[tuple[str, str]]:
    with transaction():
        rows = db.session.execute(
            select(ShopEvent.type, ShopEvent.object_ref).order_by(ShopEvent.id)
        )
        return [(row.type, row.object_ref) for row in rows]


def deliveries() -> list[ShopDelivery]:
    with transaction():
        rows = list(db.session.scalars(select(ShopDelivery).order_by(ShopDelivery.id)))
        db.session.expunge_all()
        return rows


def say(payment_ids: list[int], *actions: str) -> None:
    """The log says so of each payment, one after the other."""
    entries = [
        Entry(f"payment.{action}", "payment", id_, from_state="pending", to_state=action)
        for action in actions
        for id_ in payment_ids
    ]
    with transaction():
        record_many(entries, by=BY)
