"""Adding: a customer registers one more method at the gateway's page, on the way to paying."""

import hashlib

from opsapp.customers import linking, payment_methods, queries, replacing
from opsapp.customers.errors import TooManyRegistrations
from opsapp.customers.payment_methods import NewMethod
from opsapp.customers.replacing import REGISTRATIONS_MAX, REGISTRATIONS_WITHIN, Returned
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction


@within_transaction
def come_back(token: str, returned: Returned, *, purpose: str, by: Actor) -> int:
    """The id of the method that is being registered; told twice, it is the same one.

    `purpose` is that of the link whose page led to the gateway. Raises LinkUnknown,
    RegistrationOfAnother, NotRegistrable, TooManyRegistrations.
    """
    link = linking.hold_link(token, purpose=purpose)
    key = _key_of(returned)
    known = queries.find_method_by_request(link.customer_id, key)
    if known is not None:
        return known
    since = clock.now() - REGISTRATIONS_WITHIN
    if queries.count_registered(link.customer_id, since=since) >= REGISTRATIONS_MAX:
        raise TooManyRegistrations
    replacing.require_own(link.customer_id, returned)
    wish = NewMethod(
        customer_id=link.customer_id,
        kind=returned.method_kind,
        gateway_name=returned.gateway_name,
        auth_key=returned.auth_key,
        link_id=link.id,
        idempotency_key=key,
    )
    return payment_methods.add_methods([wish], by=by)[0]


def _key_of(returned: Returned) -> str:
    """The one-time key of a registration is good once, and so is what is asked for with it."""
    told = f"{returned.gateway_name}|{returned.method_kind}|{returned.auth_key}"
    return f"bk_{hashlib.sha256(told.encode()).hexdigest()[:40]}"
