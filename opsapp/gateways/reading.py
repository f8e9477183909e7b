"""Reading what strangers send: a body is taken apart carefully, and a value is never trusted."""

import json
from typing import Any

from opsapp.gateways.base import WebhookRefused

TEXT_LENGTH_MAX = 200


def as_object(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 that names nothing twice. Raises WebhookRefused."""
    try:
        text = body.decode()
        read = json.loads(text, object_pairs_hook=_named_once)
        json.dumps(read, ensure_ascii=False).encode()  # halves of a character pair, as \\ud800
    except (ValueError, RecursionError) as error:
        raise WebhookRefused("the body is no JSON object in UTF-8") from error
    if not isinstance(read, dict) or "\\u0000" in text:
        raise WebhookRefused("the body is no JSON object that a column can hold")
    return read


def as_text(value: object) -> str | None:
    return value[:TEXT_LENGTH_MAX] if isinstance(value, str) and value else None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of one body could take different values for a name that stands twice."""
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands twice")
    return read
