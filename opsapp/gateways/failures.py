"""What a gateway's failure code means: one table for all decline handling.

`failure_codes.csv` holds one row per (source, code): class, retry mode, outcome and the words for
the customer. A code that is not in it is an unknown outcome, never a decline.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Failure:
    """`outcome`: not_charged (definite), unknown, or query (the state at the gateway decides)."""

    failure_class: str
    subclass: str
    retry_mode: str
    outcome: str
    hint_ko: str
    hint_en: str


def look_up(source: str, code: str) -> Failure | None:
    return _table().get((source, code))


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, str], Failure]:
    text = resources.files("opsapp.gateways").joinpath("failure_codes.csv").read_text("utf-8")
    return {
        (row["source"], row["code"]): Failure(
            failure_class=row["class"],
            subclass=row["subclass"],
            retry_mode=row["retry_mode"],
            outcome=row["outcome"],
            hint_ko=row["hint_ko"],
            hint_en=row["hint_en"],
        )
        for row in csv.DictReader(text.splitlines())
    }
