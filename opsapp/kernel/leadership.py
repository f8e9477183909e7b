"""Who leads: one scheduler at a time, by an advisory lock that lives as long as its connection.

The process has one connection in all, so that the lock, the check and everything the leader
writes are on it. PostgreSQL closes a connection that falls silent: a frozen leader is replaced
within seconds, and what it tries to write when it wakes fails. Behind a pooler in transaction
mode this does not hold. Correctness never rests on there being one leader; it saves work.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Text, column, delete, event, exists, func, select, table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base, db, owns_transactions, transaction, within_transaction

LOCK: Final = 0x0951  # any number, the same for every scheduler of one database
SILENCE_MS: Final = 5_000  # longer, and PostgreSQL ends the session with all its locks
FORGOTTEN_AFTER = timedelta(days=1)

# For create_app: neither a second connection nor a silent new one.
ENGINE_OPTIONS: Mapping[str, Any] = {
    "pool_size": 1,
    "max_overflow": 0,
    "pool_pre_ping": False,
    "pool_recycle": -1,
    "pool_timeout": 1,
    "hide_parameters": True,
}
CONNECT_ARGS: Mapping[str, Any] = {
    "connect_timeout": 2,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_MS,
}
SESSION_OPTIONS: Final = (
    f"-c idle_session_timeout={SILENCE_MS} "
    f"-c idle_in_transaction_session_timeout={SILENCE_MS} "
    f"-c statement_timeout={SILENCE_MS} -c lock_timeout={SILENCE_MS // 2}"
)

_LOCKS = table(
    "pg_locks",
    column("locktype", Text),
    column("pid", BigInteger),
    column("objid", BigInteger),
    column("granted", Boolean),
)


class SchedulerHeartbeat(Base):
    """One row per scheduler process; seen on the database's own clock."""

    __tablename__ = "scheduler_heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)  # host:pid
    is_leader: Mapped[bool]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Deposed(Exception):
    """The connection that carried the lock is gone: nothing more may be written as leader."""


class Leadership:
    """This process's claim to lead; its application was made with ENGINE_OPTIONS."""

    def __init__(self) -> None:
        self.is_leader = False
        event.listen(db.engine, "connect", self._refuse_second_connection)

    @owns_transactions
    def hold(self) -> bool:
        """Take the lock if it is free, or make sure that it is still ours. Raises Deposed."""
        with transaction():
            if not self.is_leader:
                taken = select(func.pg_try_advisory_lock(LOCK))
                self.is_leader = db.session.scalars(taken).one()
            elif not db.session.scalars(select(_is_ours())).one():
                raise Deposed("the lock is not ours any more")
        return self.is_leader

    def step_down(self) -> None:
        """Forget the connection, and with it the lock; the next hold() begins anew."""
        self.is_leader = False
        db.session.remove()
        db.engine.dispose()

    def _refuse_second_connection(self, *_: object) -> None:
        if self.is_leader:
            raise Deposed("the leader's connection was lost")


@within_transaction
def note_tick(name: str, *, is_leader: bool) -> None:
    """This scheduler lives. Rows of processes long gone are cleared away."""
    row = insert(SchedulerHeartbeat).values(name=name, is_leader=is_leader)
    seen = {"is_leader": is_leader, "seen_at": func.clock_timestamp()}
    db.session.execute(row.on_conflict_do_update(index_elements=["name"], set_=seen))
    gone = SchedulerHeartbeat.seen_at < func.clock_timestamp() - FORGOTTEN_AFTER
    db.session.execute(delete(SchedulerHeartbeat).where(gone))


def leader_seen_at() -> datetime | None:
    """When a leading scheduler was last heard of (real time); None: never."""
    leads = select(func.max(SchedulerHeartbeat.seen_at)).where(SchedulerHeartbeat.is_leader)
    return db.session.scalars(leads).one()


def list_schedulers() -> list[SchedulerHeartbeat]:
    """The one heard of last first."""
    latest = select(SchedulerHeartbeat).order_by(SchedulerHeartbeat.seen_at.desc())
    return list(db.session.scalars(latest))


def _is_ours() -> Any:
    return exists().where(
        _LOCKS.c.locktype == "advisory",
        _LOCKS.c.pid == func.pg_backend_pid(),
        _LOCKS.c.objid == LOCK,
        _LOCKS.c.granted,
    )
