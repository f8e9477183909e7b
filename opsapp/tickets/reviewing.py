"""Reviewing: codes that the failure dictionary lacks are a case for a person until it has them."""

from opsapp.failures.events import CodesMapped, CodesUnmapped
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

BY = Actor("worker", "tickets.reviewing")
UNMAPPED_CODE = "unmapped_code"


@within_transaction
def on_codes_unmapped(event: CodesUnmapped) -> None:
    """While nobody says what the code means, each payment that fails with it stays uncertain."""
    open_tickets(
        [
            NewTicket(
                UNMAPPED_CODE, fact.unmapped_id, None, UNMAPPED_CODE, f"{fact.source}: {fact.code}"
            )
            for fact in event.codes
        ],
        by=BY,
    )


@within_transaction
def on_codes_mapped(event: CodesMapped) -> None:
    ids = [fact.unmapped_id for fact in event.codes]
    resolving.resolve_for(
        UNMAPPED_CODE, ids, UNMAPPED_CODE, because="the dictionary knows the code now", by=BY
    )
