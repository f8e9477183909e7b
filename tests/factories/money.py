"""The money policy of a test: without the time to undo, where that is not what is tested."""

from dataclasses import replace

from opsapp.approvals import editing, queries
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction

BY = Actor("cli", "test")


def set_money_policy(**changes: object) -> None:
    """What is named differs from the policy in force; nothing named: no time to undo."""
    with transaction():
        now = queries.get_policy()
        wanted = replace(
            now.terms, **(changes or {"refund_undo_minutes": 0, "bulk_undo_minutes": 0})
        )
        editing.save_policy(wanted, seen_version=now.version, because="for a test", by=BY)
