import json
import random
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from opsapp.audit import queries, sealing, verifying
from opsapp.audit.errors import SealKeyUnusable
from opsapp.audit.models import AuditSeal
from opsapp.audit.rules import GENESIS
from opsapp.kernel.db import TransactionMisuse, db, transaction
from opsapp.settings import Settings, current, use
from tests import waiting
from tests.audit.conftest import BY, seal_all, seal_once, verify, write_entries

# Enough to lose a hundred entries when windows go by sequence number.
ENTRIES_MIN, WINDOWS_MIN = 1500, 10
INSERT = (
    "INSERT INTO audit_entries (actor, action, subject_type, subject_id, because) "
    "VALUES ('worker:test', 'payment.paid', 'payment', 1, 'because')"
)


def seals() -> list[AuditSeal]:
    with transaction():
        found = list(db.session.query(AuditSeal).order_by(AuditSeal.id))
        db.session.expunge_all()
        return found


def test_every_entry_comes_into_exactly_one_seal_and_the_windows_join(app: Flask) -> None:
    for size in (1, 3, 2):
        write_entries(size)
        seal_all()
    found = seals()
    assert [entry for seal in found for entry in seal.entry_ids] == [1, 2, 3, 4, 5, 6]
    assert found[0].from_xid == 0
    assert found[0].previous == GENESIS
    for before, after in pairwise(found):
        assert after.from_xid == before.to_xid
        assert after.previous == before.chain


def test_nothing_is_written_when_nothing_waits(app: Flask) -> None:
    write_entries(1)
    seal_all()
    assert seal_once() == 0
    assert len(seals()) == 1


def test_a_window_holds_only_so_many_entries_but_never_part_of_a_transaction(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "WINDOW_ENTRIES_MAX", 4)
    for size in (2, 2, 1, 9, 1):
        write_entries(size)
    seal_all()
    assert [len(seal.entry_ids) for seal in seals()] == [4, 1, 9, 1]
    assert verify_unanchored().finding is None


def verify_unanchored() -> verifying.Report:
    return verifying.verify(anchors_dir=current().anchors_dir)


def test_two_sealers_at_once_do_not_take_the_same_window(
    app: Flask, owner: psycopg.Connection
) -> None:
    write_entries(2)
    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [sealing._SEALING_LOCK])
        assert seal_once() == 0
    seal_all()
    assert len(seals()) == 1


def test_the_database_refuses_a_fork_of_the_chain(app: Flask, owner: psycopg.Connection) -> None:
    write_entries(1)
    seal_all()
    with pytest.raises(psycopg.errors.UniqueViolation):
        owner.execute(
            "INSERT INTO audit_seals (cluster, from_xid, to_xid, entry_ids, leaves, previous, root,"
            " chain, entry_count, entry_id_max, sealed_at) SELECT cluster, from_xid, to_xid,"
            " entry_ids, leaves, previous, root, chain, 1, 1, sealed_at FROM audit_seals"
        )


def test_sealing_waits_for_an_open_transaction_and_writers_do_not(
    app: Flask, database_url: str
) -> None:
    with psycopg.connect(database_url) as slow:
        slow.execute(INSERT)
        write_entries(2)  # its transaction id is higher, and it commits first
        assert seal_once() == 0
        with transaction():
            assert queries.find_oldest_unsealed_at() is not None
        slow.commit()
    seal_all()
    assert sorted(entry for seal in seals() for entry in seal.entry_ids) == [1, 2, 3]


@pytest.mark.parametrize("seed", [1, 2])
def test_eight_writers_beside_a_sealer_lose_no_entry_and_double_none(
    app: Flask, database_url: str, owner: psycopg.Connection, seed: int
) -> None:
    stop = threading.Event()
    writers = [
        threading.Thread(
            daemon=True, target=keep_writing, args=(database_url, stop, seed * 100 + number)
        )
        for number in range(8)
    ]
    for writer in writers:
        writer.start()
    windows = 0

    def is_enough() -> bool:
        nonlocal windows
        windows += seal_once() > 0
        return windows >= WINDOWS_MIN and count_entries(owner) >= ENTRIES_MIN

    try:
        waiting.until(is_enough, limit_s=60)
    finally:
        stop.set()
        waiting.join(*writers)
    seal_all()
    sealed = Counter(entry for seal in seals() for entry in seal.entry_ids)
    written = [row[0] for row in owner.execute("SELECT id FROM audit_entries")]
    assert sealed == Counter(written)
    assert verify_unanchored().finding is None


def keep_writing(database_url: str, stop: threading.Event, seed: int) -> None:
    """Transactions of 1-3 entries; a fifth of them stays open for up to 4 ms."""
    chance = random.Random(seed)
    with psycopg.connect(database_url, autocommit=True) as connection:
        while not stop.is_set():
            with connection.transaction():
                for _ in range(chance.randint(1, 3)):
                    connection.execute(INSERT)
                    if chance.random() < 0.2:
                        connection.execute("SELECT pg_sleep(%s)", [chance.random() * 0.004])


def count_entries(owner: psycopg.Connection) -> int:
    row = owner.execute("SELECT count(*) FROM audit_entries").fetchone()
    return row[0] if row else 0


def test_after_a_restore_into_another_cluster_a_new_series_takes_what_was_left(
    app: Flask, owner: psycopg.Connection
) -> None:
    write_entries(3)
    seal_all()
    write_entries(2)  # 4 and 5: dumped before they were sealed
    pretend_restored(owner, sealed_in="another cluster")
    write_entries(2)  # 6 and 7: written here, perhaps before the first round of sealing
    seal_all()
    write_entries(1)
    seal_all()
    sealed = Counter(entry for seal in seals() for entry in seal.entry_ids)
    assert sealed == Counter(range(1, 9))
    assert [seal.from_xid for seal in seals()[:2]] == [0, 0]
    assert seals()[1].previous == seals()[0].chain
    report = verify_unanchored()
    assert report.finding is None
    assert report.entry_count == 8


def pretend_restored(owner: psycopg.Connection, *, sealed_in: str) -> None:
    """Make the seals another cluster's, whose transaction ids had come further than ours.

    What was sealed at id n there comes by again when this cluster's own ids reach n.
    """
    owner.execute("ALTER TABLE audit_seals DISABLE TRIGGER ALL")
    owner.execute("ALTER TABLE audit_entries DISABLE TRIGGER ALL")
    owner.execute("UPDATE audit_entries SET xid = (xid::text::bigint + 4)::text::xid8")
    owner.execute("DELETE FROM audit_seals")
    row = owner.execute("SELECT max(xid::text::bigint) FROM audit_entries WHERE id <= 3").fetchone()
    assert row is not None
    reseal_as(sealed_in, until_xid=row[0] + 1)
    owner.execute("ALTER TABLE audit_seals ENABLE TRIGGER ALL")
    owner.execute("ALTER TABLE audit_entries ENABLE TRIGGER ALL")


def reseal_as(cluster: str, *, until_xid: int) -> None:
    with transaction():
        present = queries.get_present()
        there = queries.Present(cluster, until_xid, present.at)
        entries = queries.list_entries(0, until_xid)
        sealing._write(entries, None, there, from_xid=0, to_xid=until_xid)


def test_sealing_outside_a_transaction_is_refused(app: Flask) -> None:
    with pytest.raises(TransactionMisuse):
        sealing.seal()


def test_the_head_is_anchored_once_as_a_signed_line_and_as_the_head_file(app: Flask) -> None:
    assert sealing.anchor() is None  # nothing is sealed yet
    write_entries(1)
    seal_all()
    first = sealing.anchor()
    assert sealing.anchor() is None
    write_entries(1)
    seal_all()
    second = sealing.anchor()
    assert first is not None
    assert second is not None
    lines = anchors_file().read_text().splitlines()
    assert [json.loads(line)["chain"] for line in lines] == [first.chain, second.chain]
    assert (anchors_file().parent / "head.json").read_text().splitlines() == lines[-1:]
    assert (second.entry_count, second.seal_id) == (2, seals()[-1].id)


def test_a_lost_head_file_only_repeats_a_line(app: Flask) -> None:
    write_entries(1)
    seal_all()
    sealing.anchor()
    (anchors_file().parent / "head.json").write_text("torn")
    sealing.anchor()
    assert len(anchors_file().read_text().splitlines()) == 2
    assert verify().finding is None


def anchors_file() -> Path:
    return Path(current().anchors_dir) / "anchors.jsonl"


@pytest.mark.parametrize("key", ["", "short", "AAAA"])
def test_a_seal_key_of_the_wrong_form_is_refused(app: Flask, settings: Settings, key: str) -> None:
    write_entries(1)
    seal_all()
    use(Settings(**(settings.model_dump() | {"seal_key": key})))
    with pytest.raises(SealKeyUnusable, match="base64 of 32 bytes"):
        sealing.anchor()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET id = id + 1000",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "DROP TABLE {table}",
    ],
)
def test_the_application_may_not_change_an_append_only_table(
    owner: psycopg.Connection, statement: str
) -> None:
    owner.execute("SET ROLE opsapp_app")
    for table in ("audit_entries", "audit_seals", "ledger_transfers"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement.format(table=table))


@pytest.mark.parametrize(
    "statement", ["UPDATE {table} SET id = 1000", "DELETE FROM {table}", "TRUNCATE {table}"]
)
def test_even_the_owner_meets_a_trigger(
    app: Flask, owner: psycopg.Connection, statement: str
) -> None:
    write_entries(1)
    seal_all()
    for table in ("audit_entries", "audit_seals"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            owner.execute(statement.format(table=table))


def test_the_log_names_who_did_it(app: Flask, owner: psycopg.Connection) -> None:
    write_entries(1)
    row = owner.execute("SELECT actor, to_state FROM audit_entries").fetchone()
    assert row == (str(BY), "refunded")
