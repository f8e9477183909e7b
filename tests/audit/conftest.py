"""A log with entries, seals and anchors, and somebody who tampers with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
import pytest
from flask import Flask

from opsapp.audit import queries, sealing, verifying
from opsapp.audit.verifying import Finding, Report
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.settings import current
from tests import waiting

BY = Actor("staff", "1")
APPEND_ONLY = ("audit_entries", "audit_seals")

numbers = count(1)


def write_entries(how_many: int) -> None:
    """One transaction with so many entries."""
    with transaction():
        record_many(
            [
                Entry(
                    "payment.refunded", "payment", next(numbers), because="고객 요청",
                    from_state="paid", to_state="refunded", detail={"code": None, "amount": 12000},
                )
                for _ in range(how_many)
            ],
            by=BY,
        )  # fmt: skip


def seal_once() -> int:
    with transaction():
        return sealing.seal()


def seal_all() -> None:
    """Seal until nothing waits; transactions of other tests in the cluster may delay it."""

    def nothing_waits() -> bool:
        seal_once()
        with transaction():
            return queries.find_oldest_unsealed_at() is None

    waiting.until(nothing_waits)


def verify() -> Report:
    return verifying.verify(anchors_dir=current().anchors_dir, is_anchored=True)


def find_breach() -> Finding:
    finding = verify().finding
    assert finding is not None, "nothing was found"
    return finding


@pytest.fixture
def log(app: Flask) -> Flask:
    """Nine entries in three seals, anchored after the second; the tenth entry is not sealed."""
    for window in range(3):
        write_entries(1)
        write_entries(2)
        seal_all()
        if window == 1:
            sealing.anchor()
    write_entries(1)
    return app


@pytest.fixture
def tamper(owner: psycopg.Connection) -> Callable[..., None]:
    """Run statements as the tables' owner, with the triggers out of the way."""

    def run(*statements: str) -> None:
        with _triggers_off(owner):
            for statement in statements:
                assert owner.execute(statement).rowcount != 0, f"changed nothing: {statement}"

    return run


@contextmanager
def _triggers_off(owner: psycopg.Connection) -> Iterator[None]:
    for table in APPEND_ONLY:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    yield
    for table in APPEND_ONLY:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
