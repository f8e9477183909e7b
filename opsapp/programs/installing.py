"""An installation holds real money or trials, from its first start on and for good."""

from sqlalchemy.dialects.postgresql import insert

from opsapp.kernel.db import db, within_transaction
from opsapp.programs import queries
from opsapp.programs.errors import InstallationDiffers
from opsapp.programs.models import Installation
from opsapp.settings import current


def is_live() -> bool:
    """What this process was started for."""
    return current().mode == "production"


@within_transaction
def claim() -> None:
    """Settle what the database holds, once. Raises InstallationDiffers."""
    row = insert(Installation).values(id=1, livemode=is_live()).on_conflict_do_nothing()
    db.session.execute(row)
    check(queries.find_livemode())


def check(held: bool | None) -> None:
    """Raises InstallationDiffers if the database was claimed for the other kind."""
    if held is not None and held != is_live():
        raise InstallationDiffers(held=_word(held), wanted=_word(is_live()))


def _word(livemode: bool) -> str:
    return "real" if livemode else "test"
