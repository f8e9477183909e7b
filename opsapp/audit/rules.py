"""Hashes of the log: leaves and Merkle roots as in RFC 6962, a chain of roots, signed anchors.

Every hash has a prefix of its own, so that none can pass for another kind, and hashes a canonical
JSON array, so that no two different entries have one encoding and NULL is not the empty text.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

# Column by column what a leaf covers: everything a log entry has, the two times at 2 and 3,
# `detail` as the text that PostgreSQL makes of a jsonb value.
LEAF_COLUMNS = (
    "id", "xid", "recorded_at", "at", "actor", "action", "subject_type", "subject_id",
    "from_state", "to_state", "because", "succeeded", "address", "request_id", "detail",
)  # fmt: skip
GENESIS = bytes(32)  # what the first seal is chained to
HASH_BYTES = 32

_LEAF, _NODE, _LINK = b"\x00", b"\x01", b"\x02"
_ANCHOR_SIGNED = b"opsapp audit anchor 1\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_US, _DAY_US = 1_000_000, 86_400_000_000
_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False
).encode
_sha256 = hashlib.sha256


@dataclass(frozen=True, slots=True)
class Window:
    """The columns of a seal that its chain covers besides the root."""

    cluster: str
    from_xid: int
    to_xid: int
    entry_count: int
    entry_id_max: int
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of the chain at a moment, kept outside the database."""

    seal_id: int
    chain: str  # hexadecimal
    entry_count: int
    at: str  # ISO 8601, UTC


def leaf(entry: Sequence[Any]) -> bytes:
    """The hash of one log entry, given in the order of LEAF_COLUMNS."""
    values = [*entry]
    values[2], values[3] = _microseconds(values[2]), _microseconds(values[3])
    return hash_leaf(_encode(values).encode())


def hash_leaf(data: bytes) -> bytes:
    return _sha256(_LEAF + data).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962 section 2.1."""
    level = list(leaves)
    if not level:
        return _sha256().digest()
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [_sha256(_NODE + left + right).digest() for left, right in pairs] + odd
    return level[0]


def chain(previous: bytes, window: Window, root: bytes) -> bytes:
    """A seal's link to all seals before it."""
    columns = [
        window.cluster, window.from_xid, window.to_xid, window.entry_count, window.entry_id_max,
        _microseconds(window.sealed_at),
    ]  # fmt: skip
    return _sha256(_LINK + previous + root + _encode(columns).encode()).digest()


def split_leaves(leaves: bytes) -> list[bytes]:
    return [leaves[i : i + HASH_BYTES] for i in range(0, len(leaves), HASH_BYTES)]


def write_anchor(anchor: Anchor, seed: bytes) -> str:
    """One signed line for the anchors file; the same anchor and seed give the same line."""
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(_signed_bytes(anchor))
    return _encode(_anchor_fields(anchor) | {"signature": signature.hex()})


def read_anchor(line: str, public_key: bytes) -> Anchor:
    """The anchor of a line. Raises ValueError if it is no anchor or its signature is not ours."""
    try:
        fields = json.loads(line)
        signature = bytes.fromhex(fields.pop("signature"))
        anchor = Anchor(fields["seal_id"], fields["chain"], fields["entry_count"], fields["at"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("it is not an anchor") from error
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _signed_bytes(anchor))
    except InvalidSignature:
        raise ValueError("its signature is not of this installation's seal key") from None
    return anchor


def public_key_of(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _signed_bytes(anchor: Anchor) -> bytes:
    return _ANCHOR_SIGNED + _encode(_anchor_fields(anchor)).encode()


def _anchor_fields(anchor: Anchor) -> dict[str, Any]:
    return {
        "seal_id": anchor.seal_id,
        "chain": anchor.chain,
        "entry_count": anchor.entry_count,
        "at": anchor.at,
    }


def _microseconds(moment: datetime) -> int:
    span = moment - _EPOCH
    return span.days * _DAY_US + span.seconds * _SECOND_US + span.microseconds
