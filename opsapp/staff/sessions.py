"""Sign-ins are rows, so that they can be ended: by their owner, an administrator or time.

The cookie carries a random token and the table its SHA-256: a copy of the table opens nothing.
"""

import hashlib
import secrets

from sqlalchemy import ColumnElement, func, update

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.staff import queries
from opsapp.staff.models import StaffAccount, StaffSession
from opsapp.staff.queries import Visitor

USER_AGENT_LENGTH_MAX = 300


def find(token: str) -> Visitor | None:
    return queries.find_visitor(_hash(token))


@within_transaction
def begin(account_id: int, *, address: str, user_agent: str) -> str:
    """A new sign-in; returns the token for the cookie. An older cookie's id is never taken on."""
    token = secrets.token_urlsafe(32)
    db.session.add(
        StaffSession(
            token_hash=_hash(token),
            account_id=account_id,
            address=address,
            user_agent=user_agent[:USER_AGENT_LENGTH_MAX],
        )
    )
    return token


@within_transaction
def touch(session_id: int) -> None:
    """A person did something. Polling never comes here."""
    db.session.execute(
        update(StaffSession)
        .where(StaffSession.id == session_id)
        .values(last_seen_at=func.clock_timestamp())
    )


@within_transaction
def end(visitor: Visitor) -> None:
    _end(StaffSession.id == visitor.session_id)
    record(
        Entry("staff_account.signed_out", "staff_account", visitor.account_id),
        by=Actor("staff", str(visitor.account_id)),
    )


@within_transaction
def end_all(account_id: int, *, because: str, by: Actor) -> int:
    """Returns how many sign-ins were ended. Raises NotFound."""
    queries.lock_account(account_id)
    ended = _end(StaffSession.account_id == account_id)
    record(
        Entry(
            "staff_account.sessions_ended",
            "staff_account",
            account_id,
            because=because,
            detail={"sessions": ended},
        ),
        by=by,
    )
    return ended


@within_transaction
def prefer(account_id: int, *, locale: str | None = None, theme: str | None = None) -> None:
    """How an account wants its screens; nothing that anybody answers for, so it is not logged."""
    values = {"locale": locale, "theme": theme}
    chosen = {name: value for name, value in values.items() if value is not None}
    if chosen:
        db.session.execute(
            update(StaffAccount).where(StaffAccount.id == account_id).values(**chosen)
        )


def _end(condition: ColumnElement[bool]) -> int:
    ended = db.session.scalars(
        update(StaffSession)
        .where(condition, StaffSession.ended_at.is_(None))
        .values(ended_at=func.clock_timestamp())
        .returning(StaffSession.id)
    ).all()
    return len(ended)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
