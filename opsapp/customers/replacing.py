"""Replacing: a customer registers another method at the gateway's page, by the link of a message.

Who comes back brings a one-time key. The method that it becomes takes the old one's place as soon
as the gateway has issued its billing key; until then nothing changes.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from opsapp.customers import linking, payment_methods, queries
from opsapp.customers.errors import (
    NotRegistrable,
    RegistrationOfAnother,
    TooManyRegistrations,
    WindowNotReady,
)
from opsapp.customers.events import MethodsIssued
from opsapp.customers.models import PaymentMethod
from opsapp.customers.payment_methods import NewMethod
from opsapp.customers.states import MethodStatus
from opsapp.gateways import registry
from opsapp.gateways.base import Gateway
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import RegistrationRequest, Window
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import owns_transactions, transaction, within_transaction
from opsapp.kernel.turns import ask_in_person

PURPOSE = "payment_method"
# Of one customer, by whichever links: each is a request to a gateway, and who has stolen cards
# would like to know which of them work.
REGISTRATIONS_MAX = 10
REGISTRATIONS_WITHIN = timedelta(days=1)
# What a browser brings goes into a request of ours.
_AUTH_KEY = re.compile(r"[A-Za-z0-9_=.+/-]{1,300}")
_FAILED = (MethodStatus.REFUSED, MethodStatus.DELETED)


@dataclass(frozen=True, slots=True)
class Returned:
    """What the address told that the customer came back by."""

    gateway_name: str
    method_kind: str
    auth_key: str
    customer_key: str


def list_offers(gateway_name: str) -> list[str]:
    """Kinds that can be registered now in place of a method of that gateway."""
    gateway = _find_gateway(gateway_name)
    return sorted(gateway.capabilities.registration_methods) if gateway else []


def find_place(gateway_name: str) -> str:
    """The gateway where another method is registered: its own, if that has a page for it.

    Raises NotRegistrable.
    """
    gateway = _find_gateway(gateway_name)
    if gateway is None:
        raise NotRegistrable
    return gateway.name


@owns_transactions
def open_window(
    customer_id: int,
    gateway_name: str,
    kind: str,
    *,
    success_url: str,
    fail_url: str,
    locale: str,
) -> Window:
    """How the customer gets to the gateway's page. Raises NotRegistrable, WindowNotReady."""
    gateway = gateway_named(gateway_name)
    if kind not in gateway.capabilities.registration_methods:
        raise NotRegistrable(field="kind")
    with transaction():
        customer = queries.get_customer_keys([customer_id])[customer_id]
    request = RegistrationRequest(
        method_kind=kind,
        customer_key=customer.customer_key,
        success_url=success_url,
        fail_url=fail_url,
        locale=locale,
    )
    question = partial(gateway.open_registration, request)
    try:
        answer = ask_in_person(gateway.name, question, connected=gateway.connected)
    except TimeoutError:
        raise WindowNotReady from None
    if answer.window is None:
        raise WindowNotReady
    return answer.window


@within_transaction
def come_back(token: str, returned: Returned, *, replaces_id: int | None, by: Actor) -> int:
    """The id of the method that is registered now, or was by an earlier call or another tab.

    One link registers one method; only what the gateway refused may be followed by another.
    `replaces_id` is None for one that stands beside the others.
    Raises LinkUnknown, RegistrationOfAnother, NotRegistrable, TooManyRegistrations.
    """
    link = linking.hold_link(token, purpose=PURPOSE)
    before = queries.list_registered_by(link.id)
    if before and before[0].status not in _FAILED:
        return before[0].id
    since = clock.now() - REGISTRATIONS_WITHIN
    if queries.count_registered(link.customer_id, since=since) >= REGISTRATIONS_MAX:
        raise TooManyRegistrations
    require_own(link.customer_id, returned)
    wish = NewMethod(
        customer_id=link.customer_id,
        kind=returned.method_kind,
        gateway_name=returned.gateway_name,
        auth_key=returned.auth_key,
        replaces_id=None if replaces_id is None else queries.find_heir(replaces_id),
        link_id=link.id,
        is_default=replaces_id is None and not _has_default(link.customer_id),
    )
    return payment_methods.add_methods([wish], by=by)[0]


@within_transaction
def on_methods_issued(event: MethodsIssued) -> None:
    """What a link was for happens now: subscriptions go on with the new method."""
    wanted = queries.list_replacing([fact.method_id for fact in event.methods])
    # One by one: nearly none of a batch, and each moves a customer's subscriptions.
    for method in wanted:
        replace_by(method)


@within_transaction
def replace_by(method: PaymentMethod) -> None:
    """Of a chain of replacements the last one is replaced: the customer may have two tabs open."""
    assert method.replaces_id is not None  # noqa: S101 - list_replacing asks for it
    heir_id = queries.find_heir(method.replaces_id)
    if heir_id == method.id:
        return
    by = Actor("customer", str(method.customer_id))
    because = "registered by the customer"
    payment_methods.replace(heir_id, by_method_id=method.id, because=because, by=by)


def _find_gateway(own_name: str) -> Gateway | None:
    gateways = sorted(registry.all_gateways(), key=lambda gateway: gateway.name != own_name)
    return next((each for each in gateways if each.capabilities.registration_methods), None)


def _has_default(customer_id: int) -> bool:
    return any(method.is_default for method in queries.list_methods(customer_id))


def require_own(customer_id: int, returned: Returned) -> None:
    """Raises RegistrationOfAnother, NotRegistrable: what a browser brings is believed by nobody."""
    customer = queries.get_customer_keys([customer_id])[customer_id]
    if not hmac.compare_digest(customer.customer_key.encode(), returned.customer_key.encode()):
        raise RegistrationOfAnother
    offered = {
        (gateway.name, kind)
        for gateway in registry.all_gateways()
        for kind in gateway.capabilities.registration_methods
    }
    is_known = (returned.gateway_name, returned.method_kind) in offered
    if not is_known or not _AUTH_KEY.fullmatch(returned.auth_key):
        raise NotRegistrable
