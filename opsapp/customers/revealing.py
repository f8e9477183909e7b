"""Revealing: who a customer is, in clear, for one look that the log remembers."""

from dataclasses import dataclass

from opsapp.customers.models import Customer
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import Entry, record

REASON_LENGTH = range(5, 201)


@dataclass(frozen=True, slots=True)
class Identity:
    name: str
    phone: str
    email: str


@within_transaction
def reveal(customer_id: int, *, because: str, by: Actor) -> Identity:
    """The reason stands in the log, what was seen does not. Raises NotFound, Invalid."""
    because = " ".join(because.split())
    if len(because) not in REASON_LENGTH:
        raise Invalid(field="because", reason="Give a reason of 5 to 200 characters.")
    found = db.session.get(Customer, customer_id)
    if found is None:
        raise NotFound(noun="customer", id=customer_id)
    record(Entry("customer.revealed", "customer", customer_id, because=because), by=by)
    return Identity(found.name, found.phone, found.email)
