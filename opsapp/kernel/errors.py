"""Refusals that a person is told about: what is wrong, with which field, and what to do."""

from typing import Any


class OpsError(Exception):
    """Base of every business refusal; doors turn it into a page, a fragment or JSON.

    `message` and `remedy` are English message keys with {placeholders} filled from `values`.
    """

    code = "refused"
    http_status = 409
    message = "This is not possible now."
    remedy = ""

    def __init__(self, *, field: str | None = None, **values: Any) -> None:
        self.field = field
        self.values = values
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.message} {self.remedy}".strip().format(**self.values)
        return f"{self.field}: {text}" if self.field else text


class NotFound(OpsError):
    code = "not_found"
    http_status = 404
    message = "There is no {noun} {id}."
    remedy = "Check the number, or search for it."


class Invalid(OpsError):
    """A value that cannot be taken; nothing was changed."""

    code = "invalid"
    http_status = 422
    message = "{reason}"
