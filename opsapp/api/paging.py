"""Lists: the newest first, by position. A cursor is opaque, and good for the list it came from."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from opsapp.kernel.paging import Page

LIMIT_MAX = 100
LIMIT = 20

M = TypeVar("M", bound=BaseModel)


def _whole(text: object) -> object:
    """Digits only: "1_0" and " 7" are numbers to Python and typing errors to everybody else."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else "?"


class ListQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[
        int,
        Field(ge=1, le=LIMIT_MAX, description="How many objects at most.", examples=[20]),
        BeforeValidator(_whole),
    ] = LIMIT
    cursor: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]{0,200}$",
            description="`next_cursor` of the page before.",
        ),
    ] = ""


def listed(page: Page[Any], build: Callable[[Any], M]) -> dict[str, Any]:
    """The fields of a list object."""
    return {
        "data": [build(row) for row in page.rows],
        "has_more": page.next_cursor is not None,
        "next_cursor": page.next_cursor,
    }
