"""Registering customers: one or thousands, found again by the shop's own number."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.customers import queries, rules, signing_in
from opsapp.customers.models import Customer
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record, record_many


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """`customer_ref` is the shop's own number. Raises Invalid naming the field."""

    customer_ref: str
    name: str
    email: str
    phone: str
    locale: str = "ko"

    def __post_init__(self) -> None:
        rules.check_ref(self.customer_ref)
        rules.check_email(self.email)
        rules.check_phone(self.phone)
        rules.check_locale(self.locale)
        object.__setattr__(self, "name", rules.check_name(self.name))


@within_transaction
def register_customers(wishes: Sequence[NewCustomer], *, by: Actor) -> dict[str, int]:
    """Customer ids by customer_ref; whoever is known already stays as they are.

    Of several wishes with one customer_ref the first counts.
    """
    first: dict[str, NewCustomer] = {}
    for wish in wishes:
        first.setdefault(wish.customer_ref, wish)
    known = queries.list_ids_by_ref(list(first))
    missing = [wish for ref, wish in first.items() if ref not in known]
    written = bulk_insert(
        Customer,
        [_row(wish) for wish in missing],
        returning=("customer_ref", "id"),
        or_nothing=True,  # another transaction may have been faster
    )
    new = {row.customer_ref: row.id for row in written}
    record_many(
        [
            Entry("customer.registered", "customer", new[wish.customer_ref])
            for wish in missing
            if wish.customer_ref in new
        ],
        by=by,
    )
    lost = [wish.customer_ref for wish in missing if wish.customer_ref not in new]
    return known | new | (queries.list_ids_by_ref(lost) if lost else {})


@within_transaction
def change_contact(
    customer_id: int, *, name: str, email: str, phone: str, locale: str, by: Actor
) -> None:
    """With another address, whoever signed in by the old one is out. Raises Invalid naming the
    field, NotFound.
    """
    customer = queries.lock_customer(customer_id)
    wanted = {
        "name": rules.check_name(name),
        "email": rules.check_email(email),
        "phone": rules.check_phone(phone),
        "locale": rules.check_locale(locale),
    }
    changed = [field for field, value in wanted.items() if getattr(customer, field) != value]
    customer.name, customer.email = wanted["name"], wanted["email"]
    customer.phone, customer.locale = wanted["phone"], wanted["locale"]
    if changed:
        # The names of the fields only: their values are personal data.
        entry = Entry(
            "customer.changed", "customer", customer_id, detail={"fields": ", ".join(changed)}
        )
        record(entry, by=by)
    if {"email", "phone"} & {*changed}:
        signing_in.close(customer_id, by=by)


def _row(wish: NewCustomer) -> dict[str, object]:
    return {
        "customer_ref": wish.customer_ref,
        "name": wish.name,
        "email": wish.email,
        "phone": wish.phone,
        "locale": wish.locale,
        "customer_key_sealed": seal(
            new_ref("ck"), context=queries.customer_key_context(wish.customer_ref)
        ),
    }
