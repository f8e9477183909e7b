"""Asking a local process over HTTP whether it answers, and telling it something."""

import json
import urllib.request
from collections.abc import Mapping

TIMEOUT_S = 5.0


def answers(url: str) -> bool:
    """Whether the address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)
    except OSError:
        return False


def put_json(url: str, body: Mapping[str, object]) -> None:
    """Raises urllib.error.HTTPError when it is refused."""
    request = urllib.request.Request(  # noqa: S310 - our own
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - our own
        pass
