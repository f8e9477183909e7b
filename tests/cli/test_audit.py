import json
from pathlib import Path

import psycopg
from flask import Flask

from opsapp.audit import sealing
from opsapp.settings import Settings
from tests.audit.conftest import seal_all, write_entries
from tests.cli.conftest import Run


def test_a_sound_log_ends_with_exit_0(opsapp: Run, app: Flask, settings: Settings) -> None:
    write_entries(2)
    seal_all()
    sealing.anchor()
    for words in ((), ("--anchors", settings.anchors_dir)):
        done = opsapp("audit", "verify", *words)
        assert done.exit_code == 0, done.output
        assert "2 entries in 1 seals agree with 1 anchors" in done.output


def test_a_changed_log_ends_with_exit_1_and_names_the_entry(
    opsapp: Run, app: Flask, owner: psycopg.Connection
) -> None:
    write_entries(3)
    seal_all()
    owner.execute("ALTER TABLE audit_entries DISABLE TRIGGER ALL")
    owner.execute("UPDATE audit_entries SET because = 'other' WHERE id = 2")
    done = opsapp("audit", "verify")
    assert done.exit_code == 1
    assert "BROKEN: seal 1 entry 2: changed" in done.output
    finding = json.loads(opsapp("audit", "verify", "--json").output)["finding"]
    assert (finding["breach"], finding["seal_id"], finding["entry_id"]) == ("changed", 1, 2)


def test_a_log_without_anchors_is_said_to_prove_less(opsapp: Run, app: Flask) -> None:
    write_entries(1)
    seal_all()
    assert "Without anchors a rewritten log can pass" in opsapp("audit", "verify").output


def test_a_folder_without_anchors_is_refused(opsapp: Run, tmp_path: Path) -> None:
    refused = opsapp("audit", "verify", "--anchors", str(tmp_path / "elsewhere"))
    assert refused.exit_code == 2
    assert "There is no" in refused.output
