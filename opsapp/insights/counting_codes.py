"""How much of what gateways refuse the failure dictionary understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from opsapp.failures import queries
from opsapp.failures.models import UnmappedCode
from opsapp.kernel import clock
from opsapp.kernel.db import db
from opsapp.payments.models import Attempt
from opsapp.payments.states import AttemptStatus

SPAN = timedelta(days=30)

_UNCERTAIN = (AttemptStatus.UNKNOWN.value, AttemptStatus.NEEDS_HUMAN.value)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Attempts of the last 30 days that failed, or are uncertain, with a code of the gateway."""

    gateway_name: str
    failures: int
    mapped: int

    @property
    def share(self) -> float:
        return self.mapped / self.failures if self.failures else 1.0


def measure_coverage() -> list[Coverage]:
    """One row for each gateway of this installation. A code counts as mapped if it was then."""
    sources = queries.list_sources()
    since = clock.now() - SPAN
    is_recent = or_(
        and_(Attempt.status == AttemptStatus.DECLINED.value, Attempt.ended_at >= since),
        and_(Attempt.status.in_(_UNCERTAIN), Attempt.created_at >= since),
    )
    counted = (
        select(
            Attempt.gateway_name,
            func.count().label("failures"),
            func.count().filter(_was_unmapped(sources)).label("unmapped"),
        )
        .where(is_recent, Attempt.failure_code.is_not(None))
        .group_by(Attempt.gateway_name)
    )
    found = {row.gateway_name: row for row in db.session.execute(counted)}
    return [
        Coverage(name, row.failures, row.failures - row.unmapped)
        if (row := found.get(name)) is not None
        else Coverage(name, 0, 0)
        for name in sources
    ]


def _was_unmapped(sources: Mapping[str, Sequence[str]]) -> ColumnElement[bool]:
    of_gateway = or_(
        *(
            and_(
                Attempt.gateway_name == name,
                # A gateway may pass on codes of companies that it has no table for.
                or_(
                    UnmappedCode.source.in_(names),
                    UnmappedCode.source.startswith(f"{name}_", autoescape=True),
                ),
            )
            for name, names in sources.items()
        )
    )
    at = func.coalesce(Attempt.ended_at, Attempt.created_at)
    is_open_then = or_(UnmappedCode.resolved_at.is_(None), UnmappedCode.resolved_at > at)
    return exists().where(UnmappedCode.code == Attempt.failure_code, of_gateway, is_open_then)
