"""Loading: the dictionary of the database becomes the one that this process goes by."""

from datetime import datetime

from opsapp.failures import queries
from opsapp.gateways import failures
from opsapp.kernel.db import within_transaction

_revision: list[datetime] = []


@within_transaction
def refresh() -> None:
    """Asked at every claim, so that no turn is judged by a dictionary that somebody has changed."""
    keep_fresh()


def keep_fresh() -> None:
    """One row is read; the dictionary only when that row is not the one seen before."""
    revised_at = queries.find_revision()
    if revised_at is None or _revision == [revised_at]:
        return
    # Read after the revision: at worst newer than that, and then it is read once more.
    failures.install(queries.list_current())
    _revision[:] = [revised_at]


def forget() -> None:
    """Go by what came with the program until the database is asked again."""
    failures.install(failures.read_seed())
    _revision.clear()
