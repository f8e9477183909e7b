"""What a program may do, and what its key looks like."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from opsapp.kernel.errors import Invalid

NAME_LENGTH_MAX = 60
PREFIX_LENGTH = 12  # "ops_" and 8 characters of 43: enough to tell keys apart, not to guess one
OVERLAP_MAX = timedelta(days=30)


class Scope(StrEnum):
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    METHODS_READ = "methods:read"
    METHODS_WRITE = "methods:write"
    CATALOG_READ = "catalog:read"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    CHECKOUTS_READ = "checkouts:read"
    CHECKOUTS_WRITE = "checkouts:write"
    PAYMENTS_READ = "payments:read"
    REFUNDS_READ = "refunds:read"
    REFUNDS_WRITE = "refunds:write"
    SUBSCRIPTIONS_READ = "subscriptions:read"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    POINTS_READ = "points:read"
    POINTS_WRITE = "points:write"
    EVENTS_READ = "events:read"
    ENDPOINTS_READ = "endpoints:read"
    ENDPOINTS_WRITE = "endpoints:write"


def check_name(text: str) -> str:
    """Raises Invalid."""
    name = " ".join(text.split())
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise Invalid(field="name", reason=f"must have 1 to {NAME_LENGTH_MAX} characters.")
    return name


def check_scopes(wanted: Sequence[str]) -> list[str]:
    """In the order of the table, each once. Raises Invalid."""
    known = [scope.value for scope in Scope if scope.value in wanted]
    if not known or len(known) != len(set(wanted)):
        raise Invalid(field="scopes", reason="must name at least one known scope.")
    return known


def check_overlap(overlap: timedelta) -> timedelta:
    """Raises Invalid."""
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise Invalid(field="overlap", reason=f"must be 0 to {OVERLAP_MAX.days} days.")
    return overlap


def prefix_of(secret: str) -> str:
    return secret[:PREFIX_LENGTH]


def hash_of(secret: str) -> bytes:
    """SHA-256 is enough: the secret is 32 random bytes, so there is nothing to guess faster."""
    return hashlib.sha256(secret.encode()).digest()


def fits(secret: str, secret_hash: bytes) -> bool:
    """In a time that tells nothing."""
    return hmac.compare_digest(hash_of(secret), secret_hash)
