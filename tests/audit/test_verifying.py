from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from opsapp.audit import queries, rules, sealing, verifying
from opsapp.audit.errors import AnchorsMissing
from opsapp.audit.verifying import Breach
from opsapp.kernel.db import transaction
from opsapp.settings import current
from tests.audit.conftest import find_breach, seal_all, verify, write_entries

Tamper = Callable[..., None]

COLUMNS = "xid, recorded_at, at, actor, action, subject_type, subject_id, because"


def test_a_sound_log_verifies_and_entries_not_yet_sealed_do_not_disturb(log: Flask) -> None:
    report = verify()
    assert report.finding is None
    assert (report.entry_count, report.seal_count, report.anchor_count) == (9, 3, 1)


def test_a_log_read_in_many_batches_is_looked_at_as_a_whole(
    log: Flask, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "BATCH_ENTRIES_MAX", 1)
    assert verify().entry_count == 9
    tamper("DELETE FROM audit_entries WHERE id = 9")
    assert find_breach().entry_id == 9


def test_an_empty_log_verifies(app: Flask) -> None:
    report = verifying.verify(anchors_dir=current().anchors_dir)
    assert (report.finding, report.entry_count) == (None, 0)


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'staff:2'",
        "because = ''",
        "from_state = NULL",
        "detail = detail || '{\"amount\": 1}'",
        "recorded_at = recorded_at + interval '1 microsecond'",
        "at = at - interval '1 year'",
        "succeeded = false",
        "xid = '3'",
    ],
)
def test_a_changed_entry_is_named(log: Flask, tamper: Tamper, change: str) -> None:
    tamper(f"UPDATE audit_entries SET {change} WHERE id IN (5, 8)")  # noqa: S608
    finding = find_breach()
    assert (finding.breach, finding.entry_id) == (Breach.CHANGED, 5)


@pytest.mark.parametrize("entry", [1, 5, 9])
def test_a_deleted_entry_is_named(log: Flask, tamper: Tamper, entry: int) -> None:
    tamper(f"DELETE FROM audit_entries WHERE id = {entry}")  # noqa: S608
    finding = find_breach()
    assert (finding.breach, finding.entry_id) == (Breach.DELETED, entry)


def test_an_entry_slipped_into_a_sealed_window_is_named(log: Flask, tamper: Tamper) -> None:
    tamper(f"INSERT INTO audit_entries ({COLUMNS}) SELECT {COLUMNS} FROM audit_entries LIMIT 1")  # noqa: S608
    finding = find_breach()
    assert (finding.breach, finding.entry_id) == (Breach.ADDED, 11)


def test_an_entry_under_a_transaction_id_before_all_others_is_named(
    log: Flask, tamper: Tamper
) -> None:
    tamper("UPDATE audit_entries SET xid = '1' WHERE id = 10")
    finding = find_breach()
    assert (finding.breach, finding.entry_id) == (Breach.ADDED, 10)


@pytest.mark.parametrize(
    "change",
    [
        "leaves = leaves || leaves",
        "leaves = decode(repeat('00', 96), 'hex')",
        "entry_ids = entry_ids[1:2]",
        "root = chain",
        "sealed_at = sealed_at + interval '1 s'",
        "entry_count = 100",
        "to_xid = (to_xid::text::bigint - 1)::text::xid8",
    ],
)
def test_a_changed_seal_is_named(log: Flask, tamper: Tamper, change: str) -> None:
    tamper(f"UPDATE audit_seals SET {change} WHERE id = 2")  # noqa: S608
    finding = find_breach()
    assert (finding.breach, finding.seal_id) == (Breach.SEAL_CHANGED, 2)


def test_a_seal_taken_out_of_the_middle_breaks_the_chain(log: Flask, tamper: Tamper) -> None:
    tamper("DELETE FROM audit_seals WHERE id = 2")
    finding = find_breach()
    assert (finding.breach, finding.seal_id) == (Breach.CHAIN_BROKEN, 3)


def test_an_entry_and_its_seal_changed_together_break_the_chain(log: Flask, tamper: Tamper) -> None:
    tamper(
        "UPDATE audit_entries SET because = 'nothing' WHERE id = 5",
        "CREATE TEMPORARY TABLE kept AS SELECT * FROM audit_seals WHERE id = 3",
        "DELETE FROM audit_seals WHERE id > 1",
        "ALTER SEQUENCE audit_seals_id_seq RESTART WITH 2",
    )
    seal_anew(4, 6)
    tamper("INSERT INTO audit_seals SELECT * FROM kept")
    finding = find_breach()
    assert finding.seal_id == 2, "the anchor of seal 2 differs"
    anchors_file().unlink()
    finding = verifying.verify(anchors_dir=current().anchors_dir).finding
    assert finding is not None
    assert (finding.breach, finding.seal_id) == (Breach.CHAIN_BROKEN, 3)


def test_a_log_rewritten_with_all_its_seals_is_betrayed_by_the_anchor_alone(
    log: Flask, tamper: Tamper
) -> None:
    tamper("UPDATE audit_entries SET because = 'nothing' WHERE id = 2", "DELETE FROM audit_seals")
    tamper("ALTER SEQUENCE audit_seals_id_seq RESTART")
    for from_id, to_id in ((1, 3), (4, 6), (7, 10)):
        seal_anew(from_id, to_id)
    finding = find_breach()
    assert (finding.breach, finding.seal_id) == (Breach.ANCHOR_DIFFERS, 2)
    anchors_file().unlink()
    assert verifying.verify(anchors_dir=current().anchors_dir).finding is None


def seal_anew(from_id: int, to_id: int) -> None:
    """What an attacker with the program and the database can do: seals that agree with the rows."""
    with transaction():
        head, present = queries.find_head(), queries.get_present()
        entries = queries.list_entries_by_id(range(from_id, to_id + 1))
        following = queries.list_entries_by_id([to_id + 1])
        until = following[0].xid if following else present.horizon
        start = head.to_xid if head else 0
        sealing._write(entries, head, present, from_xid=start, to_xid=until)


def test_a_log_cut_off_behind_the_last_anchor_is_not_seen_and_before_it_is(
    log: Flask, tamper: Tamper
) -> None:
    tamper("DELETE FROM audit_entries WHERE id > 6", "DELETE FROM audit_seals WHERE id > 2")
    assert verify().finding is None, "what no anchor covers can be cut off unseen"
    tamper("DELETE FROM audit_entries WHERE id > 3", "DELETE FROM audit_seals WHERE id > 1")
    finding = find_breach()
    assert (finding.breach, finding.seal_id) == (Breach.TRUNCATED, 2)


def test_an_emptied_log_is_seen(log: Flask, tamper: Tamper) -> None:
    tamper("DELETE FROM audit_entries", "DELETE FROM audit_seals")
    assert find_breach().breach == Breach.TRUNCATED


def test_an_anchor_signed_by_somebody_else_is_seen(log: Flask) -> None:
    forged = rules.write_anchor(rules.Anchor(9, "00" * 32, 9, "2026-01-01"), bytes([1] * 32))
    with anchors_file().open("a") as file:
        file.write(f"{forged}\n")
    finding = find_breach()
    assert finding.breach == Breach.ANCHOR_FORGED
    assert "line 2" in finding.because


def test_two_different_anchors_of_one_seal_are_seen(log: Flask) -> None:
    other = rules.write_anchor(rules.Anchor(2, "00" * 32, 6, "2026-01-01"), bytes(32))
    with anchors_file().open("a") as file:
        file.write(f"{other}\n")
    assert find_breach().breach == Breach.ANCHOR_DIFFERS


def test_a_named_folder_without_anchors_is_refused(log: Flask, tmp_path: Path) -> None:
    with pytest.raises(AnchorsMissing, match=r"There is no .*anchors\.jsonl"):
        verifying.verify(anchors_dir=tmp_path, is_anchored=True)


def test_a_log_verifies_while_it_grows(log: Flask) -> None:
    seal_all()
    write_entries(3)
    assert verify().entry_count == 10
    seal_all()
    assert verify().entry_count == 13


def anchors_file() -> Path:
    return Path(current().anchors_dir) / "anchors.jsonl"
