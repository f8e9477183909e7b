"""Encryption of stored secrets: AES-256-GCM under a key ring, bound to where the value stands."""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from opsapp.settings import current

_NONCE_BYTES = 12


class Unreadable(Exception):
    """The value was changed, stands in another place, or its key is gone."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    newest: str
    ciphers: dict[str, AESGCM]


def seal(plain: str, *, context: str) -> bytes:
    """Encrypt under the newest key. `context` ("table.column|ref") must be given to open it."""
    ring = _ring(current().encryption_keys.get_secret_value())
    nonce = os.urandom(_NONCE_BYTES)
    kid = ring.newest.encode()
    body = ring.ciphers[ring.newest].encrypt(nonce, plain.encode(), context.encode())
    return bytes([len(kid)]) + kid + nonce + body


def unseal(token: bytes, *, context: str) -> str:
    """Decrypt; raises Unreadable."""
    ring = _ring(current().encryption_keys.get_secret_value())
    try:
        kid_end = 1 + token[0]
        nonce_end = kid_end + _NONCE_BYTES
        cipher = ring.ciphers.get(token[1:kid_end].decode())
        if cipher is None:
            raise Unreadable("the key of this value is not in the key ring")
        plain = cipher.decrypt(token[kid_end:nonce_end], token[nonce_end:], context.encode())
    except (InvalidTag, ValueError, IndexError):  # the last two: not even the form of a seal
        raise Unreadable("the value does not belong here or was changed") from None
    return plain.decode()


def blind_index(value: str) -> bytes:
    """A keyed hash by which an encrypted value can be found, but not guessed without the key."""
    key = base64.b64decode(current().blind_index_key.get_secret_value())
    return hmac.digest(key, value.encode(), hashlib.sha256)


@lru_cache(maxsize=4)
def _ring(text: str) -> KeyRing:
    pairs = [entry.partition(":") for entry in text.split(",")]
    ciphers = {kid: AESGCM(base64.b64decode(key, validate=True)) for kid, _, key in pairs}
    return KeyRing(pairs[0][0], ciphers)
