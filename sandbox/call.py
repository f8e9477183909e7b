"""One authenticated call of the API, as the handlers see it."""

from dataclasses import dataclass
from typing import Any

from sandbox.books import Merchant


@dataclass(frozen=True, slots=True)
class Call:
    merchant: Merchant
    arguments: tuple[str, ...]
    query: dict[str, str]
    body: dict[str, Any]
