"""What the address of the dictionary of failure codes asks for."""

from opsapp.failures.models import CLASSES, RETRY_MODES
from opsapp.failures.queries import CodeWish
from opsapp.insights import reading_wishes as reading
from opsapp.insights.reading_wishes import Query


def read_wish(query: Query) -> CodeWish:
    """Raises Invalid. Sources are rows, so an unknown one has no codes."""
    return CodeWish(
        search=reading.search(query),
        source=reading.plain(query, "source"),
        failure_class=reading.choice(query, "class", CLASSES),
        retry_mode=reading.choice(query, "retry_mode", RETRY_MODES),
        is_changed=reading.is_ticked(query, "changed"),
    )
