"""Signed tokens, compact JWS (RFC 7515): what push services and Google know a sender by."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_b64url(text: str) -> bytes:
    """Padded or not. Raises ValueError."""
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)


def es256(claims: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    said = _said({"typ": "JWT", "alg": "ES256"}, claims)
    r, s = decode_dss_signature(key.sign(said, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{said.decode()}.{b64url(signature)}"


def rs256(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, *, key_id: str) -> str:
    said = _said({"typ": "JWT", "alg": "RS256", "kid": key_id}, claims)
    return f"{said.decode()}.{b64url(key.sign(said, padding.PKCS1v15(), hashes.SHA256()))}"


def _said(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bytes:
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, claims))
    return ".".join(b64url(part) for part in parts).encode()
