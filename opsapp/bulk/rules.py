"""What a bulk job may be, and how long its worker holds it."""

import re
from datetime import timedelta

from opsapp.kernel.errors import Invalid

ROWS_MAX = 10_000
BECAUSE_LENGTH_MAX = 200
LEASE = timedelta(seconds=60)  # far above one row
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


def check_request_id(text: str) -> str:
    """Raises Invalid: without a name of its own a form would be taken for another one."""
    if not _REQUEST_ID.fullmatch(text):
        raise Invalid(field="request_id", reason="This form cannot be read. Load the page again.")
    return text


def check_because(text: str) -> str:
    """Raises Invalid."""
    because = " ".join(text.split())
    if not 1 <= len(because) <= BECAUSE_LENGTH_MAX:
        raise Invalid(field="because", reason="Say why, in at most 200 characters.")
    return because
