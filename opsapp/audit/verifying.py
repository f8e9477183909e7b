"""Recompute the whole log against its seals, their chain and the anchors outside the database.

It reads a batch of seals at a time in short transactions, so that it holds nothing up and needs
the memory of one batch only. Whoever owns the database can rewrite rows and seals so that they
agree with each other: only an anchor, kept elsewhere, then disagrees.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from opsapp.audit import queries, rules
from opsapp.audit.errors import AnchorsMissing
from opsapp.audit.sealing import ANCHORS_FILE, seal_seed
from opsapp.kernel.db import owns_transactions, transaction

BATCH_ENTRIES_MAX = 20_000
BATCH_SEALS_MAX = 2_000


class Breach(StrEnum):
    """What was found to be wrong."""

    CHANGED = "changed"  # the entry is not what was sealed
    DELETED = "deleted"  # a sealed entry is gone
    ADDED = "added"  # an entry stands in a sealed window, and no seal names it
    SEALED_TWICE = "sealed_twice"
    SEAL_CHANGED = "seal_changed"  # a seal contradicts itself
    CHAIN_BROKEN = "chain_broken"  # a seal does not continue the one before it
    ANCHOR_FORGED = "anchor_forged"  # a line of the anchors file was not signed by us
    ANCHOR_DIFFERS = "anchor_differs"  # the chain was rewritten after it was anchored
    TRUNCATED = "truncated"  # seals that were anchored are gone from the end


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong, in the order of the log."""

    breach: Breach
    seal_id: int | None
    entry_id: int | None
    because: str

    @property
    def place(self) -> str:
        """`seal 3 entry 17`, or `anchors` if no seal is to blame."""
        named = (("seal", self.seal_id), ("entry", self.entry_id))
        return " ".join(f"{noun} {n}" for noun, n in named if n is not None) or "anchors"


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and the first breach if there is one."""

    entry_count: int  # sealed and recomputed
    seal_count: int
    anchor_count: int  # anchors that the chain was held against
    unsealed_count: int  # of ended transactions, not yet sealed: no seal speaks for them
    finding: Finding | None


@dataclass(slots=True)
class _Walk:
    """Where the walk along the chain stands: what the next seal must continue."""

    seal_id: int = 0
    seal_count: int = 0
    entry_count: int = 0
    entry_id_max: int = 0
    cluster: str = ""
    to_xid: int = 0
    chain: bytes = rules.GENESIS


@dataclass(frozen=True, slots=True)
class _Series:
    """The first seal of a cluster's series that follows another cluster's."""

    start_id: int
    entry_id_max: int


class _Broken(Exception):
    def __init__(
        self, breach: Breach, because: str, *, seal: int | None = None, entry: int | None = None
    ) -> None:
        self.finding = Finding(breach, seal, entry, because)
        super().__init__(because)


@owns_transactions
def verify(*, anchors_dir: str | Path, is_anchored: bool = False) -> Report:
    """Look at every sealed entry, seal and anchor, up to the first that is wrong.

    With `is_anchored`, a folder without an anchors file is refused with AnchorsMissing; without,
    it counts as zero anchors, as on a new installation. Raises SealKeyUnusable.
    """
    walk, finding = _Walk(), None
    anchors: dict[int, rules.Anchor] = {}
    try:
        anchors = _anchors(Path(anchors_dir) / ANCHORS_FILE, is_anchored=is_anchored)
        for seals in _batches():
            with transaction():
                _verify_seals(seals, walk, anchors)
        _refuse_truncated(walk, anchors.values())
    except _Broken as broken:
        finding = broken.finding
    with transaction():
        unsealed = queries.count_unsealed()
    return Report(walk.entry_count, walk.seal_count, len(anchors), unsealed, finding)


def _anchors(file: Path, *, is_anchored: bool) -> dict[int, rules.Anchor]:
    """The anchors by seal. Two different ones of one seal mean a rewritten chain."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        if is_anchored:
            raise AnchorsMissing(file=file) from None
        return {}
    public_key = rules.public_key_of(seal_seed())
    anchors: dict[int, rules.Anchor] = {}
    for number, line in enumerate(lines, start=1):
        try:
            anchor = rules.read_anchor(line, public_key)
        except ValueError as error:
            raise _Broken(Breach.ANCHOR_FORGED, f"line {number} of {file}: {error}") from error
        known = anchors.setdefault(anchor.seal_id, anchor)
        if known.chain != anchor.chain:
            because = f"it was anchored differently at {known.at} and at {anchor.at}"
            raise _Broken(Breach.ANCHOR_DIFFERS, because, seal=anchor.seal_id)
    return anchors


def _batches() -> Iterator[Sequence[Row[Any]]]:
    after = 0
    while True:
        with transaction():
            sizes = queries.list_seal_sizes(after, limit=BATCH_SEALS_MAX)
            if not sizes:
                return
            until = _last_that_fits(sizes)
            seals = queries.list_seals(after, until)
        yield seals
        after = until


def _last_that_fits(sizes: Sequence[Row[int, int]]) -> int:
    """The last seal of a batch: at least one, and about as many entries as a batch may have.

    The running count may have been tampered with: it decides nothing but the batch's size.
    """
    last, base = sizes[0]
    for seal_id, count in sizes[1:]:
        if count - base > BATCH_ENTRIES_MAX:
            break
        last = seal_id
    return int(last)


def _verify_seals(
    seals: Sequence[Row[Any]], walk: _Walk, anchors: Mapping[int, rules.Anchor]
) -> None:
    """Seals of one cluster at a time: their windows are one stretch of transaction ids."""
    for _, group in groupby(seals, key=attrgetter("cluster")):
        stretch, begin = list(group), replace(walk)
        sound, broken = _continuing(stretch, replace(walk))
        series = _series(stretch[0].cluster)
        windows = _windows(sound)
        for seal, entries in zip(sound, windows, strict=True):
            is_start = begin.cluster not in {"", seal.cluster} and seal is sound[0]
            _verify_entries(seal, entries, series, is_start=is_start)
            _verify_anchor(seal, anchors.get(seal.id))
            _step(walk, seal)
        if broken is not None:
            raise broken


def _continuing(seals: Iterable[Row[Any]], walk: _Walk) -> tuple[list[Row[Any]], _Broken | None]:
    """The seals up to the first that does not continue the chain, and what is wrong with it."""
    sound: list[Row[Any]] = []
    for seal in seals:
        try:
            _verify_seal(seal, walk)
        except _Broken as broken:
            return sound, broken
        _step(walk, seal)
        sound.append(seal)
    return sound, None


def _step(walk: _Walk, seal: Row[Any]) -> None:
    walk.seal_id, walk.seal_count = seal.id, walk.seal_count + 1
    walk.entry_count, walk.entry_id_max = seal.entry_count, seal.entry_id_max
    walk.cluster, walk.to_xid, walk.chain = seal.cluster, seal.to_xid, seal.chain


def _verify_seal(seal: Row[Any], walk: _Walk) -> None:
    """The seal agrees with itself and with the one before it."""
    window = rules.Window(
        cluster=seal.cluster,
        from_xid=seal.from_xid,
        to_xid=seal.to_xid,
        entry_count=seal.entry_count,
        entry_id_max=seal.entry_id_max,
        sealed_at=seal.sealed_at,
    )
    ids, leaves = seal.entry_ids, rules.split_leaves(seal.leaves)
    agrees = (
        len(leaves) == len(ids)
        and rules.merkle_root(leaves) == seal.root
        and rules.chain(seal.previous, window, seal.root) == seal.chain
    )
    if not agrees:
        because = "its columns do not give the hashes it carries"
        raise _Broken(Breach.SEAL_CHANGED, because, seal=seal.id)
    continues = (
        seal.previous == walk.chain
        and seal.from_xid == (walk.to_xid if seal.cluster == walk.cluster else 0)
        and seal.entry_count == walk.entry_count + len(ids)
        and seal.entry_id_max == max([walk.entry_id_max, *ids[-1:]])
    )
    if not continues:
        because = f"it does not continue seal {walk.seal_id}"
        raise _Broken(Breach.CHAIN_BROKEN, because, seal=seal.id)


def _series(cluster: str) -> _Series | None:
    start = queries.find_start_of_series(cluster)
    return _Series(start.id, start.entry_id_max) if start else None


def _windows(seals: Sequence[Row[Any]]) -> list[list[Row[Any]]]:
    """The entries that stand in the window of each seal, by ascending id."""
    if not seals:
        return []
    entries = queries.list_entries(seals[0].from_xid, seals[-1].to_xid)
    if len(seals) == 1:
        return [list(entries)]
    ends = [seal.to_xid for seal in seals]
    windows: list[list[Row[Any]]] = [[] for _ in seals]
    for entry in entries:
        windows[bisect_right(ends, entry.xid)].append(entry)
    return windows


def _verify_entries(
    seal: Row[Any], entries: Sequence[Row[Any]], series: _Series | None, *, is_start: bool
) -> None:
    """Exactly the sealed entries stand in the window, each as it was sealed."""
    expected = dict(zip(seal.entry_ids, rules.split_leaves(seal.leaves), strict=True))
    found = {entry.id: entry for entry in entries}
    if found.keys() != expected.keys():
        elsewhere = queries.list_entries_by_id(expected.keys() - found.keys())
        if elsewhere and not is_start:
            because = "its transaction id is not what was sealed"
            raise _Broken(Breach.CHANGED, because, seal=seal.id, entry=elsewhere[0].id)
        _refuse_added(seal, found.keys() - expected.keys(), series)
        found |= {entry.id: entry for entry in elsewhere}
    for entry_id, sealed in expected.items():
        if entry_id not in found:
            because = "it was sealed and is gone"
            raise _Broken(Breach.DELETED, because, seal=seal.id, entry=entry_id)
        if rules.leaf(found[entry_id]) != sealed:
            because = "it is not what was sealed"
            raise _Broken(Breach.CHANGED, because, seal=seal.id, entry=entry_id)
    if series is not None:
        _refuse_sealed_before(seal, series)


def _refuse_added(seal: Row[Any], extra: Collection[int], series: _Series | None) -> None:
    """Rows restored from another cluster carry its ids and may stand anywhere: they are sealed."""
    if series is not None and extra:
        extra = set(extra) - queries.list_sealed_among(extra, up_to_seal=series.start_id)
    if extra and (moved := queries.list_sealed_among(extra)):
        because = "its transaction id is not what was sealed"
        raise _Broken(Breach.CHANGED, because, seal=seal.id, entry=min(moved))
    if extra:
        because = "it stands in a sealed window and no seal names it"
        raise _Broken(Breach.ADDED, because, seal=seal.id, entry=min(extra))


def _refuse_sealed_before(seal: Row[Any], series: _Series) -> None:
    early = [entry_id for entry_id in seal.entry_ids if entry_id <= series.entry_id_max]
    before = min(series.start_id, seal.id - 1)
    if early and (twice := queries.list_sealed_among(early, up_to_seal=before)):
        because = "an earlier seal names it too"
        raise _Broken(Breach.SEALED_TWICE, because, seal=seal.id, entry=min(twice))


def _verify_anchor(seal: Row[Any], anchor: rules.Anchor | None) -> None:
    if anchor is None:
        return
    if (anchor.chain, anchor.entry_count) != (seal.chain.hex(), seal.entry_count):
        because = f"the chain up to here is not the one that was anchored at {anchor.at}"
        raise _Broken(Breach.ANCHOR_DIFFERS, because, seal=seal.id)


def _refuse_truncated(walk: _Walk, anchors: Iterable[rules.Anchor]) -> None:
    beyond = [anchor for anchor in anchors if anchor.seal_id > walk.seal_id]
    if beyond:
        first = min(beyond, key=attrgetter("seal_id"))
        because = f"it was anchored at {first.at} and is gone; the log ends at seal {walk.seal_id}"
        raise _Broken(Breach.TRUNCATED, because, seal=first.seal_id)
