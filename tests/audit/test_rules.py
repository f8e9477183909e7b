from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from opsapp.audit import rules
from opsapp.audit.rules import Anchor, Window
from opsapp.kernel.log import AuditEntry

AT = datetime(2026, 3, 1, 0, 0, 0, 123456, tzinfo=UTC)
ENTRY = (
    7, 900, AT, AT, "staff:1", "payment.refunded", "payment", 3, "paid", "refunded", "why", True,
    "127.0.0.1", "req", '{"a": [null, "가"]}',
)  # fmt: skip
WINDOW = Window(cluster="1", from_xid=0, to_xid=9, entry_count=4, entry_id_max=5, sealed_at=AT)
ANCHOR = Anchor(seal_id=3, chain="ab" * 32, entry_count=12, at=AT.isoformat())
SEED = bytes(range(32))

# The reference tree of Certificate Transparency (RFC 6962): inputs, and the root of the first n.
CT_LEAVES = [
    b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43",
    bytes(range(0x50, 0x58)), bytes(range(0x60, 0x70)),
]  # fmt: skip
CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_a_leaf_covers_every_column_of_an_entry() -> None:
    assert set(rules.LEAF_COLUMNS) == {column.name for column in AuditEntry.__table__.columns}


@pytest.mark.parametrize("position", range(len(rules.LEAF_COLUMNS)))
def test_a_change_of_any_column_changes_the_leaf(position: int) -> None:
    old = ENTRY[position]
    new = old + timedelta(microseconds=1) if isinstance(old, datetime) else f"{old} "
    changed = (*ENTRY[:position], new, *ENTRY[position + 1 :])
    assert rules.leaf(changed) != rules.leaf(ENTRY)


def test_nothing_is_not_the_empty_text() -> None:
    with_null = (*ENTRY[:8], None, *ENTRY[9:])
    with_empty = (*ENTRY[:8], "", *ENTRY[9:])
    assert rules.leaf(with_null) != rules.leaf(with_empty)


def test_text_moved_from_one_column_to_the_next_changes_the_leaf() -> None:
    one = (*ENTRY[:10], 'a","b', *ENTRY[11:])
    other = (*ENTRY[:4], "a", *ENTRY[5:10], "b", *ENTRY[11:])
    assert rules.leaf(one) != rules.leaf(other)


def test_the_time_zone_of_a_column_does_not_change_the_leaf() -> None:
    seoul = AT.astimezone(timezone(timedelta(hours=9)))
    same = (*ENTRY[:2], seoul, seoul, *ENTRY[4:])
    assert rules.leaf(same) == rules.leaf(ENTRY)


@pytest.mark.parametrize("size", CT_ROOTS)
def test_roots_are_those_of_the_reference_tree_of_rfc_6962(size: int) -> None:
    leaves = [rules.hash_leaf(data) for data in CT_LEAVES[:size]]
    assert rules.merkle_root(leaves).hex() == CT_ROOTS[size]


def test_a_link_covers_the_chain_before_the_root_and_every_column_of_the_seal() -> None:
    links = {rules.chain(bytes(32), WINDOW, bytes(32)).hex()}
    links.add(rules.chain(bytes([1] * 32), WINDOW, bytes(32)).hex())
    links.add(rules.chain(bytes(32), WINDOW, bytes([1] * 32)).hex())
    for name, value in {
        "cluster": "2", "from_xid": 1, "to_xid": 8, "entry_count": 5, "entry_id_max": 6,
        "sealed_at": AT + timedelta(microseconds=1),
    }.items():  # fmt: skip
        links.add(rules.chain(bytes(32), replace(WINDOW, **{name: value}), bytes(32)).hex())
    assert len(links) == 9


def test_a_signed_anchor_is_read_back() -> None:
    line = rules.write_anchor(ANCHOR, SEED)
    assert rules.read_anchor(line, rules.public_key_of(SEED)) == ANCHOR


@pytest.mark.parametrize(
    ("old", "new"), [('"seal_id":3', '"seal_id":2'), ("abab", "abac"), ("2026", "2025")]
)
def test_a_changed_anchor_is_refused(old: str, new: str) -> None:
    line = rules.write_anchor(ANCHOR, SEED)
    assert old in line
    with pytest.raises(ValueError, match="signature is not of this installation"):
        rules.read_anchor(line.replace(old, new, 1), rules.public_key_of(SEED))


def test_an_anchor_signed_by_another_key_is_refused() -> None:
    line = rules.write_anchor(ANCHOR, bytes(32))
    with pytest.raises(ValueError, match="signature"):
        rules.read_anchor(line, rules.public_key_of(SEED))


@pytest.mark.parametrize("line", ["", "x", "[]", "{}", '{"signature": 1}', '{"signature": "zz"}'])
def test_what_is_no_anchor_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not an anchor"):
        rules.read_anchor(line, rules.public_key_of(SEED))
