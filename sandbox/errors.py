"""The vendor's error answers: `{"code": ..., "message": ...}` with the vendor's HTTP status.

Source of codes and statuses: the error tables of docs.tosspayments.com. A status the vendor
does not state is given as 400.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_CODES_FILE = Path(__file__).with_name("codes.csv")
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Code:
    """One error code of the vendor."""

    http_status: int
    message: str


_JSON_HEADER: Final = b"content-type: application/json;charset=UTF-8\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with: HTTP status and body, JSON unless `headers` say else."""

    status: int
    body: bytes
    headers: bytes = _JSON_HEADER  # whole lines


class Refused(Exception):
    """A request the gateway refuses; becomes the vendor's error answer."""

    def __init__(self, code: str, message: str | None = None) -> None:
        known = CODES[code]
        super().__init__(code)
        self.code = code
        self.http_status = known.http_status
        self.message = (message or known.message)[:510]

    def answer(self) -> Answer:
        return Answer(self.http_status, to_json({"code": self.code, "message": self.message}))


class ControlRefused(Exception):
    """A call to `/_sandbox/*` that names an impossible wish; says which field and the remedy."""

    def __init__(self, message: str, http_status: int = 400) -> None:
        super().__init__(message)
        self.http_status = http_status

    def answer(self) -> Answer:
        body = {"code": "SANDBOX_CONTROL", "message": str(self)}
        return Answer(self.http_status, to_json(body))


def to_json(value: Any) -> bytes:
    """Compact UTF-8 JSON; Korean stays readable."""
    return _ENCODE(value).encode()


def answer_of(value: Any, status: int = 200) -> Answer:
    return Answer(status, to_json(value))


def _read_codes() -> dict[str, Code]:
    with _CODES_FILE.open(encoding="utf-8", newline="") as file:
        return {
            row["code"]: Code(int(row["http_status"]), row["message"])
            for row in csv.DictReader(file)
        }


CODES: Final[dict[str, Code]] = _read_codes()
