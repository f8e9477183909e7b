"""A database that lives for one run, on a clock that stands still until it is moved.

For what must never touch business data and must end the same way each time. Leases, back-offs and
business time all read the one virtual clock, so a lease runs out when the run says so.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from sqlalchemy import Engine, event, func, select, text

from opsapp.kernel import schema
from opsapp.kernel.db import db, transaction

# For create_app: the clock is set on the one connection of the process, which nobody takes away.
# It makes more statements in one life than a server process does, the same ones again and again:
# planning them anew each time was an eighth of it, and comparing a kept plan with a new one a
# sixteenth. So its CPU says nothing about production, which plans by the values.
STATEMENTS_MAX = 3000
POOL: Mapping[str, Any] = {
    "pool_size": 1,
    "max_overflow": 0,
    "pool_pre_ping": False,
    "query_cache_size": STATEMENTS_MAX,
    "connect_args": {
        "options": "-c timezone=UTC -c plan_cache_mode=force_generic_plan",
        "prepare_threshold": 2,
    },
}

_NOW = "opsapp.virtual_now"
# Found before the one of pg_catalog, because the database's search path says so.
_CLOCK = (
    "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS "
    f"$$SELECT current_setting('{_NOW}')::timestamptz$$"
)
# Defaults were bound to the real clock when the tables were made.
_DEFAULTS = """
DO $$
DECLARE place record;
BEGIN
  FOR place IN
    SELECT adrelid::regclass AS of_table, attname
    FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE pg_get_expr(adbin, adrelid) LIKE '%clock\\_timestamp()'
  LOOP
    EXECUTE format(
      'ALTER TABLE %s ALTER COLUMN %I SET DEFAULT public.clock_timestamp()',
      place.of_table, place.attname
    );
  END LOOP;
END $$
"""


@contextmanager
def scratch_database(server_url: str, *, starts_at: datetime) -> Iterator[str]:
    """The URL of a migrated database of its own on that server; dropped in the end."""
    name = f"opsapp_scratch_{secrets.token_hex(6)}"
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    quoted = sql.Identifier(name)
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
        try:
            schema.migrate(url)
            _stop_the_clock(url, quoted, starts_at)
            yield url
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))


def keep_plans(engine: Engine) -> None:
    """As many as there are statements; psycopg keeps a hundred. See `plan_anew`."""
    event.listen(engine, "connect", _keep_plans)


def plan_anew() -> None:
    """Tables have grown since the plans were made; now and then is enough."""
    with transaction():
        db.session.execute(text("ANALYZE"))


def set_virtual_now(moment: datetime) -> None:
    """Move the clock of a scratch database; the process has one connection to it."""
    with transaction():
        db.session.execute(select(func.set_config(_NOW, moment.isoformat(), False)))


def _keep_plans(connection: psycopg.Connection[Any], _record: object) -> None:
    connection.prepared_max = STATEMENTS_MAX


def _stop_the_clock(url: str, quoted: sql.Identifier, starts_at: datetime) -> None:
    path = sql.SQL("ALTER DATABASE {} SET search_path = public, pg_catalog").format(quoted)
    start = sql.SQL("ALTER DATABASE {} SET {} = {}").format(
        quoted, sql.Identifier(*_NOW.split(".")), sql.Literal(starts_at.isoformat())
    )
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(_CLOCK)
        database.execute(_DEFAULTS)
        database.execute(path)
        database.execute(start)
