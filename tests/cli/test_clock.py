from datetime import UTC, datetime

import psycopg
import pytest

from tests.cli.conftest import Run


def test_the_clock_is_real_until_it_is_moved(opsapp: Run) -> None:
    shown = opsapp("clock", "show")
    assert shown.exit_code == 0
    assert "(real time)" in shown.output
    told = datetime.fromisoformat(shown.output.split()[0])
    assert abs((datetime.now(UTC) - told).total_seconds()) < 5


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-03-01", "2026-03-01T00:00:0"),
        ("2026-03-01T09:30", "2026-03-01T09:30:0"),
        ("2026-03-01T00:30:00+00:00", "2026-03-01T09:30:0"),
        ("2026-03-01T00:30:00Z", "2026-03-01T09:30:0"),
    ],
)
def test_a_time_is_set_in_seoul_unless_it_says_otherwise(
    opsapp: Run, written: str, shown: str
) -> None:
    done = opsapp("clock", "set", written)
    assert done.exit_code == 0, done.output
    assert done.output.startswith(shown)
    assert opsapp("clock", "show").output.startswith(shown[:16])


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        ("1d", "2026-03-02T00:0"),
        ("12h", "2026-03-01T12:0"),
        ("30m", "2026-03-01T00:3"),
        ("2w", "2026-03-15T00:0"),
    ],
)
def test_the_clock_advances_by_a_step(opsapp: Run, step: str, shown: str) -> None:
    opsapp("clock", "set", "2026-03-01")
    assert opsapp("clock", "advance", step).output.startswith(shown)


def test_moving_the_clock_is_logged(opsapp: Run, owner: psycopg.Connection) -> None:
    opsapp("clock", "set", "2026-03-01")
    row = owner.execute("SELECT actor, action, detail->>'to' FROM audit_entries").fetchone()
    assert row is not None
    assert row[:2] == ("cli:clock", "clock.moved")
    assert row[2].startswith("2026-02-28T15:00:0")


@pytest.mark.parametrize("step", ["", "1", "d", "0d", "-1d", "1.5d", "1y", "١d", "9999999d"])
def test_a_step_that_is_none_is_refused(opsapp: Run, step: str) -> None:
    refused = opsapp("clock", "advance", "--", step)
    assert refused.exit_code == 2
    assert "30m, 12h, 1d or 2w" in refused.output


@pytest.mark.parametrize("moment", ["", "tomorrow", "2026-13-01", "2026-02-30", "03/01/2026"])
def test_a_time_that_is_none_is_refused(opsapp: Run, moment: str) -> None:
    refused = opsapp("clock", "set", moment)
    assert refused.exit_code == 2
    assert "Write 2026-03-01" in refused.output


@pytest.mark.parametrize(
    "words", [("set", "1999-01-01"), ("set", "2100-06-01"), ("advance", "99999w")]
)
def test_a_time_far_off_is_refused(opsapp: Run, words: tuple[str, str]) -> None:
    refused = opsapp("clock", *words)
    assert refused.exit_code == 2
    assert "2000 to 2100" in refused.output


def test_the_clock_of_a_real_shop_cannot_be_moved(opsapp: Run) -> None:
    refused = opsapp("clock", "advance", "1d", OPSAPP_MODE="production")
    assert refused.exit_code == 2
    assert "demo and test mode only" in refused.output
    assert "(real time)" in opsapp("clock", "show").output


def test_a_database_that_does_not_answer_is_named(opsapp: Run) -> None:
    refused = opsapp("clock", "show", DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    assert refused.exit_code == 2
    assert "Check DATABASE_URL" in refused.output


def test_wrong_settings_are_named_without_their_values(opsapp: Run) -> None:
    refused = opsapp("clock", "show", OPSAPP_SECRET_KEY="tooshort", OPSAPP_MODE="holiday")
    assert refused.exit_code == 2
    assert "secret_key" in refused.output
    assert "mode" in refused.output
    assert "tooshort" not in refused.output
