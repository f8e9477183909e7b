"""Handing over: a customer was given all that is kept about them; the log says when, not what."""

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.log import Entry, record


@within_transaction
def note_export(customer_id: int, *, by: Actor) -> None:
    record(Entry("customer.data_exported", "customer", customer_id), by=by)
