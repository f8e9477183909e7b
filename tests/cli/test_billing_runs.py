"""`opsapp runs`: the month's report for finance."""

import json
from datetime import UTC, datetime

from tests.cli.conftest import Run
from tests.factories.subscriptions import go_to, make_subscription, renew


def test_a_month_is_told_day_by_day_and_in_all(app, opsapp: Run) -> None:
    go_to(datetime(2026, 1, 31, 3, tzinfo=UTC))
    make_subscription()
    make_subscription(interval="week")
    renew()
    told = json.loads(opsapp("runs", "--month", "2026-01", "--json").output)
    assert told["month"] == "2026-01"
    [run] = told["runs"]
    assert (run["run_on"], run["made"]) == ("2026-01-31", {"count": 2, "sum_minor": 19_800})
    assert told["total"]["under_way"] == {"count": 2, "sum_minor": 19_800}
    assert "2026-01-31" in opsapp("runs", "--month", "2026-01").output
    assert json.loads(opsapp("runs", "--month", "2025-12", "--json").output)["runs"] == []


def test_a_month_that_is_none_is_refused(opsapp: Run) -> None:
    assert opsapp("runs", "--month", "2026-13").exit_code == 2
