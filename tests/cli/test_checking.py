import json
from pathlib import Path

import psycopg

from tests.cli.conftest import Run

SPOIL = (
    "INSERT INTO ledger_transfers (kind, debit_account, credit_account, amount_minor, currency,"
    " subject_type, subject_id) VALUES ('charge', 'a', 'b', 5, 'KRW', 'attempt', 1)"
)


def test_a_sound_installation_ends_with_exit_0_and_twelve_rows(opsapp: Run) -> None:
    done = opsapp("check", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert report["violations"] == 0
    assert [row["id"] for row in report["rows"]] == [f"I{n}" for n in range(1, 13)]
    assert {"id", "name", "violations", "examples"} <= report["rows"][0].keys()


def test_a_violation_ends_with_exit_1_and_is_named(opsapp: Run, owner: psycopg.Connection) -> None:
    owner.execute(SPOIL)
    done = opsapp("check", "--json")
    assert done.exit_code == 1
    rows = {row["id"]: row for row in json.loads(done.output)["rows"]}
    assert rows["I5"]["violations"] == 3
    assert "transfer 1 (charge): no payment" in rows["I5"]["examples"]
    table = opsapp("check")
    assert table.exit_code == 1
    assert "I5" in table.output


def test_the_logs_of_the_data_folder_are_read(opsapp: Run, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text("4111111111111111\n", encoding="utf-8")
    done = opsapp("--data-dir", str(tmp_path), "check", "--json")
    assert done.exit_code == 1
    assert "web.log line 1" in done.output


def test_what_cannot_be_known_ends_with_exit_2_and_one_sentence(opsapp: Run) -> None:
    refused = opsapp("check", REDIS_URL="redis://127.0.0.1:1/0")
    assert refused.exit_code == 2
    assert "Redis does not answer" in refused.output
    assert refused.output.count("\n") == 1
