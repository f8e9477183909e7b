"""Seal closed windows of the log into a chain of Merkle roots, and anchor its head outside.

Nobody who writes to the log waits for this: a window holds whole transactions that have ended,
found by transaction id. (Sequence numbers are given out before transaction ids and commit in
another order: sealing by them misses rows for ever.)
"""

import base64
import binascii
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row, func, select

from opsapp.audit import queries, rules
from opsapp.audit.errors import SealKeyUnusable
from opsapp.audit.models import AuditSeal
from opsapp.kernel.db import db, owns_transactions, transaction, within_transaction
from opsapp.settings import current

WINDOW_ENTRIES_MAX = 20_000
ANCHORS_FILE = "anchors.jsonl"
HEAD_FILE = "head.json"

_SEALING_LOCK = 0x5EA1  # of pg_try_advisory_xact_lock


@within_transaction
def seal() -> int:
    """Seal the next window; returns how many entries, 0 if none waits or another is sealing."""
    if not db.session.scalars(select(func.pg_try_advisory_xact_lock(_SEALING_LOCK))).one():
        return 0
    head, present = queries.find_head(), queries.get_present()
    if head is not None and head.cluster != present.cluster:
        # Restored into another cluster: ids start again, and the last rows of the old cluster
        # may stand unsealed under ids that this one has not reached. Take whatever is there.
        _write(queries.list_unsealed_anywhere(), head, present, from_xid=0, to_xid=present.horizon)
        return 1
    from_xid = head.to_xid if head else 0
    to_xid = queries.find_window_end(from_xid, present.horizon, entries_max=WINDOW_ENTRIES_MAX)
    entries = queries.list_entries(from_xid, to_xid)
    if entries:
        entries = _without_restored(entries, present.cluster)
        _write(entries, head, present, from_xid=from_xid, to_xid=to_xid)
    return len(entries)


@owns_transactions
def anchor() -> rules.Anchor | None:
    """Sign the head of the chain and append it to the anchors file, unless it is there already.

    Raises OSError if the folder cannot be written and SealKeyUnusable.
    """
    with transaction():
        head, present = queries.find_head(), queries.get_present()
    if head is None:
        return None
    folder = Path(current().anchors_dir)
    folder.mkdir(parents=True, exist_ok=True)
    if _anchored_chain(folder) == head.chain.hex():
        return None
    made = rules.Anchor(head.id, head.chain.hex(), head.entry_count, present.at.isoformat())
    line = rules.write_anchor(made, seal_seed())
    _append_durably(folder, line)
    return made


def seal_seed() -> bytes:
    """The Ed25519 seed that signs anchors. Raises SealKeyUnusable."""
    try:
        seed = base64.b64decode(current().seal_key.get_secret_value(), validate=True)
    except binascii.Error as error:
        raise SealKeyUnusable from error
    if len(seed) != rules.HASH_BYTES:
        raise SealKeyUnusable
    return seed


def _without_restored(entries: Sequence[Row[Any]], cluster: str) -> Sequence[Row[Any]]:
    """Leave out what the start of this cluster's series, or the series before it, has sealed."""
    start = queries.find_start_of_series(cluster)
    if start is None:
        return entries
    early = [entry.id for entry in entries if entry.id <= start.entry_id_max]
    sealed = queries.list_sealed_among(early, up_to_seal=start.id) if early else set()
    return [entry for entry in entries if entry.id not in sealed]


def _write(
    entries: Sequence[Row[Any]],
    head: queries.Head | None,
    present: queries.Present,
    *,
    from_xid: int,
    to_xid: int,
) -> None:
    leaves = [rules.leaf(entry) for entry in entries]
    root = rules.merkle_root(leaves)
    count, highest = (head.entry_count, head.entry_id_max) if head else (0, 0)
    window = rules.Window(
        cluster=present.cluster,
        from_xid=from_xid,
        to_xid=to_xid,
        entry_count=count + len(entries),
        entry_id_max=max([highest, *(entry.id for entry in entries[-1:])]),
        sealed_at=present.at,
    )
    previous = head.chain if head else rules.GENESIS
    db.session.add(
        AuditSeal(
            cluster=window.cluster,
            from_xid=window.from_xid,
            to_xid=window.to_xid,
            entry_count=window.entry_count,
            entry_id_max=window.entry_id_max,
            sealed_at=window.sealed_at,
            entry_ids=[entry.id for entry in entries],
            leaves=b"".join(leaves),
            previous=previous,
            root=root,
            chain=rules.chain(previous, window, root),
        )
    )
    db.session.flush()


def _anchored_chain(folder: Path) -> str | None:
    """What the head file says; only a hint that the same line need not be written twice."""
    try:
        chain: str | None = json.loads((folder / HEAD_FILE).read_text()).get("chain")
    except (OSError, ValueError, AttributeError):
        return None
    return chain


def _append_durably(folder: Path, line: str) -> None:
    """One write for the line, so that two processes cannot mix theirs; then the head file."""
    with (folder / ANCHORS_FILE).open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())
        os.fsync(file.fileno())
    fresh = folder / f"{HEAD_FILE}.{os.getpid()}"
    fresh.write_text(f"{line}\n", encoding="utf-8")
    fresh.replace(folder / HEAD_FILE)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
