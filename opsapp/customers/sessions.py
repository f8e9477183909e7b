"""Sign-ins of shoppers are rows, so that they can be ended: by their owner or by time.

The cookie carries a random token and the table its SHA-256: a copy of the table opens nothing.
All on the machine's own clock: a moved business clock signs nobody out.
"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, update

from opsapp.customers import finding_shoppers
from opsapp.customers.finding_shoppers import Guest
from opsapp.customers.models import ShopperSession
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.log import Entry, record

LIFE = timedelta(hours=12)
IDLE = timedelta(minutes=30)
SEEN_EVERY = timedelta(seconds=30)
FRESH = timedelta(minutes=15)
KEPT = timedelta(days=30)
DISMISSED_MAX = 50


@within_transaction
def find(token: str) -> Guest | None:
    """Whose sign-in it is; None if it was ended, stood idle or is too old.

    Its owner is there now: that is written, but not for each part of a page.
    """
    token_hash, clock = _hash(token), func.clock_timestamp()
    own, seen_at = ShopperSession.token_hash == token_hash, ShopperSession.seen_at
    was_seen = seen_at.between(clock - IDLE, clock - SEEN_EVERY)
    touch = update(ShopperSession).where(own, was_seen, ShopperSession.ended_at.is_(None))
    touched = touch.values(seen_at=clock).returning(ShopperSession.id).cte("touched")
    return finding_shoppers.find_guest(token_hash, idle=IDLE, fresh=FRESH, touch=touched)


@within_transaction
def begin(customer_id: int) -> str:
    """A new sign-in; returns the token for the cookie. An older cookie's id is never taken on."""
    token = secrets.token_urlsafe(32)
    row = ShopperSession(
        token_hash=_hash(token),
        customer_id=customer_id,
        expires_at=func.clock_timestamp() + LIFE,
    )
    db.session.add(row)
    record(Entry("customer.signed_in", "customer", customer_id), by=_by(customer_id))
    return token


@within_transaction
def end(guest: Guest) -> None:
    _end(ShopperSession.id == guest.session_id)
    entry = Entry("customer.signed_out", "customer", guest.customer_id)
    record(entry, by=_by(guest.customer_id))


@within_transaction
def end_all(customer_id: int, *, by: Actor | None = None) -> int:
    """On every device; returns how many were ended. By the customer if nobody else is named."""
    ended = _end(ShopperSession.customer_id == customer_id)
    detail = {"sessions": ended}
    entry = Entry("customer.sessions_ended", "customer", customer_id, detail=detail)
    record(entry, by=by or _by(customer_id))
    return ended


@within_transaction
def dismiss(session_id: int, names: list[str]) -> None:
    """What pops up is not shown again during this sign-in."""
    kept = func.array_cat(ShopperSession.dismissed, names[:DISMISSED_MAX])
    own = ShopperSession.id == session_id
    short = func.cardinality(ShopperSession.dismissed) < DISMISSED_MAX
    db.session.execute(update(ShopperSession).where(own, short).values(dismissed=kept))


@within_transaction
def purge() -> None:
    """Forget sign-ins that were over long ago."""
    old = func.clock_timestamp() - KEPT
    db.session.execute(delete(ShopperSession).where(ShopperSession.expires_at < old))


def _end(condition: ColumnElement[bool]) -> int:
    ended = db.session.scalars(
        update(ShopperSession)
        .where(condition, ShopperSession.ended_at.is_(None))
        .values(ended_at=func.clock_timestamp())
        .returning(ShopperSession.id)
    ).all()
    return len(ended)


def _by(customer_id: int) -> Actor:
    return Actor("customer", str(customer_id))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
