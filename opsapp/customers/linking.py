"""Linking: a customer without an account is let in by a link, for one purpose and once.

The link carries 32 random bytes and the table their SHA-256: a copy of the table opens nothing.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from sqlalchemy import update

from opsapp.customers import queries
from opsapp.customers.errors import LinkUnknown, TooManyLinks
from opsapp.customers.models import LinkTry, OneTimeLink
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, db, owns_transactions, transaction, within_transaction

WRONG_TRIES_MAX = 10
TRIES_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LinkWish:
    """`life` is business time: a moved clock ends it too."""

    customer_id: int
    purpose: str
    subject_type: str
    subject_id: int
    life: timedelta


@dataclass(frozen=True, slots=True)
class Link:
    """What a token that is good now opens."""

    id: int
    customer_id: int
    purpose: str
    subject_type: str
    subject_id: int
    expires_at: datetime


@within_transaction
def issue_links(wishes: Sequence[LinkWish], *, by: Actor) -> list[str]:
    """Tokens in the order of the wishes. Earlier links of a subject stay good until one is used:
    a message may have arrived although its answer was lost.
    """
    now = clock.now()
    tokens = [secrets.token_urlsafe(32) for _ in wishes]
    bulk_insert(
        OneTimeLink,
        [
            {
                "token_hash": _hash(token),
                "customer_id": wish.customer_id,
                "purpose": wish.purpose,
                "subject_type": wish.subject_type,
                "subject_id": wish.subject_id,
                "issued_by": str(by),
                "issued_at": now,
                "expires_at": now + wish.life,
            }
            for wish, token in zip(wishes, tokens, strict=True)
        ],
    )
    return tokens


@within_transaction
def issue_link(
    customer_id: int,
    *,
    purpose: str,
    subject_type: str,
    subject_id: int,
    life: timedelta,
    by: Actor,
) -> str:
    """Returns the token, which is kept nowhere."""
    wish = LinkWish(customer_id, purpose, subject_type, subject_id, life)
    return issue_links([wish], by=by)[0]


def find_link(token: str, *, purpose: str) -> Link | None:
    """None for a token that is unknown, used, expired or meant for something else."""
    row = queries.find_link(_hash(token), purpose=purpose)
    return None if row is None else _link(row)


@owns_transactions
def open_link(token: str, *, purpose: str, address: str) -> Link:
    """Raises LinkUnknown, the same for whatever is wrong, and TooManyLinks for who guesses.

    A good link opens also where others have guessed: telephone networks and offices share an
    address among thousands, and 32 random bytes are not found by trying.
    """
    with transaction():
        found = find_link(token, purpose=purpose)
        source = source_of(address)
        tries = 0 if found else queries.count_link_tries(source, within=TRIES_WINDOW)
        is_braked = tries >= WRONG_TRIES_MAX
        if found is None and not is_braked:
            db.session.add(LinkTry(address=source))
    if is_braked:
        raise TooManyLinks
    if found is None:
        raise LinkUnknown
    return found


@within_transaction
def hold_link(token: str, *, purpose: str) -> Link:
    """For an act that may follow another one: a second click waits for the first. Raises
    LinkUnknown.
    """
    row = queries.lock_link(_hash(token), purpose=purpose)
    if row is None:
        raise LinkUnknown
    return _link(row)


@within_transaction
def use_link(token: str, *, purpose: str) -> Link:
    """The last act through it: the links of its subject end. Raises LinkUnknown if one did before.

    Called after the subject itself was locked.
    """
    row = queries.lock_link(_hash(token), purpose=purpose)
    if row is None:
        raise LinkUnknown
    end_links(purpose, row.subject_type, row.subject_id)
    return _link(row)


@within_transaction
def end_links(purpose: str, subject_type: str, subject_id: int) -> None:
    """What they were for is settled."""
    db.session.execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.purpose == purpose,
            OneTimeLink.subject_type == subject_type,
            OneTimeLink.subject_id == subject_id,
            OneTimeLink.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )


def source_of(address: str) -> str:
    """Whoever has one IPv6 address has all 2**64 of its network."""
    try:
        known = ip_address(address)
    except ValueError:  # a socket without an address
        return address
    return address if known.version == 4 else str(ip_network((known, 64), strict=False))


def _link(row: OneTimeLink) -> Link:
    return Link(
        row.id, row.customer_id, row.purpose, row.subject_type, row.subject_id, row.expires_at
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
