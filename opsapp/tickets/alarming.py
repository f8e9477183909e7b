"""Alarming: a gateway that is asked nothing more is a case for staff until they let it go on."""

from opsapp.approvals.events import ApprovalBypassed
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.routing.events import GatewayResumed, GatewaysPaused
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

BY = Actor("worker", "tickets.alarming")
SUBJECT = "gateway_circuit"
REASON = "gateway_paused"


@within_transaction
def on_gateways_paused(event: GatewaysPaused) -> None:
    open_tickets(
        [
            NewTicket(
                SUBJECT, fact.circuit_id, None, REASON, f"{fact.because} ({fact.gateway_name})"
            )
            for fact in event.facts
        ],
        by=BY,
    )


@within_transaction
def on_gateway_resumed(event: GatewayResumed) -> None:
    because = "the gateway was let go on"
    resolving.resolve_for(SUBJECT, [event.fact.circuit_id], REASON, because=because, by=BY)


@within_transaction
def on_approval_bypassed(event: ApprovalBypassed) -> None:
    """Somebody decided alone: a person looks at it afterwards."""
    fact = event.fact
    summary = f"{fact.subject_type} {fact.subject_id} was decided alone by {fact.by}"
    wish = NewTicket("approval", fact.approval_id, None, "approval_bypassed", summary)
    open_tickets([wish], by=BY)
