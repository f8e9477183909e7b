"""Rows on their way into a statement: what goes in is what PostgreSQL reads."""

from datetime import UTC, date, datetime
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, LargeBinary, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB

from opsapp.kernel.db import as_array, as_rows, db, is_among, rows_as_table, transaction
from opsapp.payments.models import Payment

COLUMNS: list[Column[Any]] = [
    Column("number", BigInteger()),
    Column("words", Text()),
    Column("flag", Boolean()),
    Column("day", Date()),
    Column("moment", DateTime(timezone=True)),
    Column("secret", LargeBinary()),
    Column("detail", JSONB()),
]
WORDS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
TRICKY = st.sampled_from(
    ["NULL", "", "{}", '"', "\\", "a,b", " ", "\n", "'", '\\"', "가나다", "{1}"]
)
DETAIL = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.booleans(), st.none()))
ROW = st.fixed_dictionaries(
    {
        "number": st.integers(-(2**63), 2**63 - 1) | st.none(),
        "words": WORDS | TRICKY | st.none(),
        "flag": st.booleans() | st.none(),
        "day": st.dates(date(1900, 1, 1)) | st.none(),
        "moment": st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC)) | st.none(),  # noqa: DTZ001 - hypothesis wants naive bounds
        "secret": st.binary(max_size=20) | st.none(),
        "detail": DETAIL | st.none(),
    }
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ROW, min_size=1, max_size=6))
def test_any_row_arrives_as_it_was(app: Flask, rows: list[dict[str, Any]]) -> None:
    statement = select(rows_as_table("rows", COLUMNS))
    with transaction():
        arrived = db.session.execute(statement, as_rows(rows)).mappings().all()
    assert [dict(row) for row in arrived] == rows


def test_details_that_compare_equal_stay_apart(app: Flask) -> None:
    rows = [{"detail": {"n": 1}}, {"detail": {"n": True}}]
    with transaction():
        told = db.session.scalars(select(rows_as_table("rows", [COLUMNS[-1]])), as_rows(rows)).all()
    assert [type(each["n"]) for each in told] == [int, bool]


def test_among_none_there_is_none(app: Flask) -> None:
    with transaction():
        found = select(Payment.id).where(is_among(Payment.id, "ids"))
        assert db.session.scalars(found, {"ids": as_array([])}).all() == []


def test_only_the_disk_of_a_block_that_is_not_durable_is_not_waited_for(app: Flask) -> None:
    asked = text("SHOW synchronous_commit")
    with transaction():
        db.session.execute(text("SET synchronous_commit TO on"))  # test servers never wait
    with transaction(durable=False):
        assert db.session.scalars(asked).one() == "off"
    with transaction():
        assert db.session.scalars(asked).one() == "on"
        db.session.execute(text("RESET synchronous_commit"))
