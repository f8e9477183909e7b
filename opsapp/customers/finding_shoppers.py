"""Finding: whose sign-in a token is, whose an address is, and who has asked how often."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, func, or_, select

from opsapp.customers.models import Customer, ShopperSession, SignInAsk
from opsapp.customers.rules import ASK_LIFE, SignInAddress
from opsapp.kernel.db import db, locked

WAITING_MAX = 200
# An ask whose job is just starting is nobody else's business.
WAITED = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Guest:
    """A customer who is signed in, as their pages need them."""

    session_id: int
    customer_id: int
    customer_ref: str
    name: str
    email: str
    phone: str
    locale: str
    started_at: datetime
    dismissed: frozenset[str]
    is_fresh: bool  # signed in a moment ago: may do what a stolen telephone should not


def find_guest(token_hash: bytes, *, idle: timedelta, fresh: timedelta, touch: CTE) -> Guest | None:
    """The owner of a sign-in that is neither ended, idle for too long nor too old; `touch` is
    carried out in the same statement, which shows the row as it was before.
    """
    clock = func.clock_timestamp()
    found = (
        select(
            ShopperSession,
            Customer,
            (ShopperSession.started_at > clock - fresh).label("is_fresh"),
        )
        .join(Customer, Customer.id == ShopperSession.customer_id)
        .where(
            ShopperSession.token_hash == token_hash,
            ShopperSession.ended_at.is_(None),
            ShopperSession.expires_at > clock,
            ShopperSession.seen_at > clock - idle,
        )
        .add_cte(touch)
    )
    row = db.session.execute(found).one_or_none()
    if row is None:
        return None
    session, customer, is_fresh = row
    return Guest(
        session.id,
        customer.id,
        customer.customer_ref,
        customer.name,
        customer.email,
        customer.phone,
        customer.locale,
        session.started_at,
        frozenset(session.dismissed),
        is_fresh,
    )


def count_asks(address_index: bytes, source: str, *, within: timedelta) -> tuple[int, int]:
    """How often the address was typed, and how often anything was from that network."""
    is_same = SignInAsk.address_index == address_index
    is_there = SignInAsk.source == source
    counts = select(func.count().filter(is_same), func.count().filter(is_there)).where(
        or_(is_same, is_there), SignInAsk.at > func.clock_timestamp() - within
    )
    of_address, of_source = db.session.execute(counts).one()
    return of_address, of_source


def lock_open_asks(ask_ids: Sequence[int]) -> list[Any]:
    """`is_fresh`: a link made now still finds its reader waiting."""
    is_fresh = (SignInAsk.at > func.clock_timestamp() - ASK_LIFE).label("is_fresh")
    wanted = (
        select(SignInAsk.id, SignInAsk.address_index, SignInAsk.address_sealed, is_fresh)
        .where(SignInAsk.id.in_(ask_ids), SignInAsk.address_sealed.is_not(None))
        .order_by(SignInAsk.id)
    )
    return list(db.session.execute(locked(wanted, of=SignInAsk, skip=True)))


def list_waiting_asks() -> list[int]:
    """Whose job should have run long ago."""
    waiting = select(SignInAsk.id).where(
        SignInAsk.address_sealed.is_not(None), SignInAsk.at < func.clock_timestamp() - WAITED
    )
    return list(db.session.scalars(waiting.order_by(SignInAsk.id).limit(WAITING_MAX)))


def list_by_address(
    wanted: Sequence[SignInAddress], *, most: int
) -> dict[SignInAddress, list[int]]:
    """Customers by address; of one that more than `most` share, the newest."""
    emails = {each.text: each for each in wanted if not each.is_phone}
    phones = {form: each for each in wanted if each.is_phone for form in each.forms}
    digits = func.regexp_replace(Customer.phone, "[^0-9]", "", "g")
    rows = db.session.execute(
        select(Customer.id, func.lower(Customer.email).label("email"), digits.label("digits"))
        .where(
            or_(
                func.lower(Customer.email).in_([*emails]),
                func.right(Customer.phone, 4).in_(sorted({form[-4:] for form in phones}))
                & digits.in_([*phones]),
            )
        )
        .order_by(Customer.id.desc())
    )
    found: dict[SignInAddress, list[int]] = {}
    for row in rows:
        for each in (emails.get(row.email), phones.get(row.digits)):
            if each is not None and len(found.setdefault(each, [])) < most:
                found[each].append(row.id)
    return found
