"""API keys: made, rotated, revoked. The secret is told once and never stored."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, update

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.programs import queries, rules
from opsapp.programs.errors import KeyEnded
from opsapp.programs.models import ApiKey
from opsapp.programs.rules import Scope
from opsapp.settings import current

SECRET_BYTES = 32
SUBJECT = "api_key"


class OnlyForDemonstration(OpsError):
    code = "only_for_demonstration"
    message = "A key with a known secret exists in demo and test mode only."
    remedy = "Make one in the console."


@dataclass(frozen=True, slots=True)
class MadeKey:
    id: int
    ref: str
    secret: str = field(repr=False)


@within_transaction
def make(
    name: str, scopes: Sequence[str], *, by: Actor, expires_in: timedelta | None = None
) -> MadeKey:
    """A new key with its secret, which nobody sees again. Raises Invalid."""
    secret = f"ops_{secrets.token_urlsafe(SECRET_BYTES)}"
    return _write(name, scopes, secret, by=by, expires_in=expires_in)


@within_transaction
def rotate(key_id: int, *, overlap: timedelta, by: Actor) -> MadeKey:
    """A new key of the same name, scopes and length of life; the old one ends after `overlap`.

    Raises Invalid, NotFound, KeyEnded.
    """
    rules.check_overlap(overlap)
    old = queries.lock_key(key_id)
    if not queries.is_alive(key_id):
        raise KeyEnded
    life = None if old.expires_at is None else old.expires_at - old.created_at
    made = make(old.name, old.scopes, by=by, expires_in=life)
    ends = func.clock_timestamp() + overlap
    db.session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id)
        .values(expires_at=func.least(func.coalesce(ApiKey.expires_at, ends), ends))
    )
    detail = {"successor": made.ref, "overlap_h": int(overlap.total_seconds() // 3600)}
    record(Entry("api_key.rotated", SUBJECT, key_id, detail=detail), by=by)
    return made


@within_transaction
def revoke(key_id: int, *, because: str, by: Actor) -> None:
    """It opens nothing from the commit on. Raises NotFound, KeyEnded."""
    queries.lock_key(key_id)
    if not queries.is_alive(key_id):
        raise KeyEnded
    db.session.execute(
        update(ApiKey).where(ApiKey.id == key_id).values(revoked_at=func.clock_timestamp())
    )
    record(Entry("api_key.revoked", SUBJECT, key_id, because=because), by=by)


@within_transaction
def note_use(key_id: int) -> None:
    """Not in the log: every request has an entry of its own there if it changed anything."""
    db.session.execute(
        update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=func.clock_timestamp())
    )


@within_transaction
def seed(secret: str, *, by: Actor) -> None:
    """The known key of a demonstration, with every scope; nothing if it is there.

    Raises OnlyForDemonstration.
    """
    if current().mode == "production":
        raise OnlyForDemonstration
    if not queries.is_known_prefix(rules.prefix_of(secret)):
        _write("demo", [scope.value for scope in Scope], secret, by=by, expires_in=None)


def _write(
    name: str, scopes: Sequence[str], secret: str, *, by: Actor, expires_in: timedelta | None
) -> MadeKey:
    key = ApiKey(
        ref=new_ref("key"),
        name=rules.check_name(name),
        prefix=rules.prefix_of(secret),
        secret_hash=rules.hash_of(secret),
        scopes=rules.check_scopes(scopes),
        created_by=str(by),
        expires_at=None if expires_in is None else func.clock_timestamp() + expires_in,
    )
    db.session.add(key)
    db.session.flush()
    detail = {"prefix": key.prefix, "scopes": ", ".join(key.scopes)}
    record(Entry("api_key.made", SUBJECT, key.id, detail=detail), by=by)
    return MadeKey(key.id, key.ref, secret)
