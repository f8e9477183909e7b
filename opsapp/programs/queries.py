from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
)

from opsapp.kernel.db import as_columns, db, locked, rows_as_table
from opsapp.kernel.errors import NotFound
from opsapp.programs.models import ApiKey, ApiRequest, Installation


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that is neither revoked nor expired. `livemode` is the installation's."""

    id: int
    prefix: str
    ref: str
    secret_hash: bytes = field(repr=False)
    scopes: frozenset[str]
    used_s_ago: float | None
    livemode: bool | None


def find_key(prefix: str) -> KnownKey | None:
    found = db.session.execute(_alive_key(), {"prefix": prefix}).one_or_none()
    if found is None:
        return None
    ago = None if found[4] is None else float(found[4])
    return KnownKey(found[0], prefix, found[1], found[2], frozenset(found[3]), ago, found[5])


def list_keys() -> Sequence[Any]:
    """Rows (ApiKey, is_alive), those in use first, then the newest."""
    alive = _is_alive()
    return db.session.execute(
        select(ApiKey, alive.label("is_alive")).order_by(alive.desc(), ApiKey.id.desc())
    ).all()


def is_known_prefix(prefix: str) -> bool:
    return db.session.scalars(select(ApiKey.id).where(ApiKey.prefix == prefix)).first() is not None


def lock_key(key_id: int) -> ApiKey:
    """Raises NotFound."""
    key = db.session.scalars(locked(select(ApiKey).where(ApiKey.id == key_id))).one_or_none()
    if key is None:
        raise NotFound(noun="API key", id=key_id)
    return key


def is_alive(key_id: int) -> bool:
    found = select(ApiKey.id).where(ApiKey.id == key_id, _is_alive())
    return db.session.scalars(found).first() is not None


def take_request(key_id: int, idempotency_key: str) -> tuple[bool, ApiRequest | None]:
    """Whether nobody else works on it, and what is known of it. Held until the commit."""
    name = f"{key_id}:{idempotency_key}"
    values = {"lock": name, "key_id": key_id, "idempotency_key": idempotency_key}
    is_ours, request = db.session.execute(_request(), values).one()
    return is_ours, request


def take_requests(key_id: int, idempotency_keys: Sequence[str]) -> list[str]:
    """Those that nobody knows or works on, held until the commit; none of a key that has ended."""
    names = [f"{key_id}:{each}" for each in idempotency_keys]
    asked = as_columns({"idempotency_key": idempotency_keys, "lock": names})
    return list(db.session.scalars(_requests(), asked | {"key_id": key_id}))


def find_livemode() -> bool | None:
    return db.session.scalars(select(Installation.livemode)).one_or_none()


@cache
def _alive_key() -> Select[*tuple[Any, ...]]:
    ago = func.extract("epoch", func.clock_timestamp() - ApiKey.last_used_at)
    return (
        select(ApiKey.id, ApiKey.ref, ApiKey.secret_hash, ApiKey.scopes, ago, Installation.livemode)
        .join_from(ApiKey, Installation, true(), isouter=True)
        .where(ApiKey.prefix == bindparam("prefix"), _is_alive())
    )


@cache
def _request() -> Select[*tuple[Any, ...]]:
    number = func.hashtextextended(bindparam("lock"), 0)
    line = select(func.pg_try_advisory_xact_lock(number).label("is_ours")).subquery()
    same = and_(
        ApiRequest.key_id == bindparam("key_id"),
        ApiRequest.idempotency_key == bindparam("idempotency_key"),
    )
    return select(line.c.is_ours, ApiRequest).join_from(line, ApiRequest, same, isouter=True)


@cache
def _requests() -> Select[str]:
    columns = [Column("idempotency_key", Text), Column("lock", Text)]
    asked = rows_as_table("asked", columns)
    number = func.hashtextextended(asked.c.lock, 0)
    line = select(
        asked.c.idempotency_key, func.pg_try_advisory_xact_lock(number).label("is_ours")
    ).subquery()
    is_known = exists().where(
        ApiRequest.key_id == bindparam("key_id"),
        ApiRequest.idempotency_key == line.c.idempotency_key,
    )
    is_good = exists().where(ApiKey.id == bindparam("key_id"), _is_alive())
    return select(line.c.idempotency_key).where(line.c.is_ours, ~is_known, is_good)


def _is_alive() -> ColumnElement[bool]:
    return and_(
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.clock_timestamp()),
    )
