"""Sealing a push message for one browser: RFC 8291 on RFC 8188, one record.

Ours, and not a package's: `cryptography` has every part of it, and pywebpush blocks. Tests open
what is sealed here with http-ece, and compare it with the example in the RFC.
"""

import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD_BYTES = 4096  # what every push service has to take (RFC 8291, 4)
_HEAD_BYTES = 16 + 4 + 1 + 65
_LAST_RECORD = b"\x02"
_TAG_BYTES = 16
TEXT_BYTES_MAX = RECORD_BYTES - _HEAD_BYTES - _TAG_BYTES - len(_LAST_RECORD)


def seal(
    text: bytes,
    *,
    browser_key: bytes,
    auth_secret: bytes,
    salt: bytes | None = None,
    own_key: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """The body of a push request, `Content-Encoding: aes128gcm`.

    `browser_key` is an uncompressed point of P-256; raises ValueError for what is none. Salt and
    key are made anew for each message; only a test of the RFC's own example names them.
    """
    if len(text) > TEXT_BYTES_MAX or len(auth_secret) != 16:
        raise ValueError("the text is too long, or the authentication secret is not 16 bytes")
    salt = salt or os.urandom(16)
    own_key = own_key or ec.generate_private_key(ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser_key)
    own_point = point_of(own_key)
    shared = own_key.exchange(ec.ECDH(), theirs)
    info = b"WebPush: info\x00" + point_of(theirs) + own_point
    secret = _derived(shared, auth_secret, info, 32)
    content_key = _derived(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\x00", 12)
    head = salt + struct.pack("!LB", RECORD_BYTES, len(own_point)) + own_point
    return head + AESGCM(content_key).encrypt(nonce, text + _LAST_RECORD, None)


def point_of(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)
