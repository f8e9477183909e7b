"""Clearing: a case whose cause has gone by itself needs nobody any more."""

from opsapp.customers.events import MethodReplaced, MethodsIssued
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.tickets import resolving

BY = Actor("worker", "tickets.clearing")
_METHOD = "payment_method"


@within_transaction
def on_methods_issued(event: MethodsIssued) -> None:
    ids = sorted(fact.method_id for fact in event.methods)
    because = "the registration came through"
    resolving.resolve_for(_METHOD, ids, "registration_stuck", because=because, by=BY)


@within_transaction
def on_method_replaced(event: MethodReplaced) -> None:
    """Nobody waits for the old one's registration any more."""
    because = "another payment method took its place"
    resolving.resolve_for(
        _METHOD, [event.old_method_id], "registration_stuck", because=because, by=BY
    )
