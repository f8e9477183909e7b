"""Diagnostic lines on stderr: one JSON object each, without secrets and without local variables.

They are for the operator at night; what must be answered for stands in kernel.log.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"password|secret|token|key$|sealed|authorization|cookie|email|phone")
# 13 to 19 digits in a row may be a card number, whatever field they are in (invariant I12).
_PAN = re.compile(r"\b\d{13,19}\b")
# PostgreSQL says of a broken constraint: DETAIL:  Key (email)=(someone@example.com) already exists.
_DETAIL = re.compile(r"DETAIL: .*")


def configure() -> None:
    """Called once, by create_app."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
            ),
            _redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Lines(),
        cache_logger_on_first_use=False,
    )


def name_process(process: str) -> None:
    """Every line of this process says which one it is."""
    structlog.contextvars.bind_contextvars(process=process)


class _Lines:
    """Writes to whatever sys.stderr is at that moment: tests exchange it."""

    def msg(self, message: str) -> None:
        # One write: the lines of threads must not run into each other.
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def _redact(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = "[redacted]" if _SECRET_NAME.search(name) else _without_digits(value)
    return event


def _without_digits(value: Any) -> Any:
    """Rendered exceptions are lists of dictionaries: look all the way down."""
    if isinstance(value, str):
        return _PAN.sub("[digits]", _DETAIL.sub("DETAIL: [redacted]", value))
    if isinstance(value, dict):
        return {name: _without_digits(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_digits(each) for each in value]
    return value
