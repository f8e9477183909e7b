"""Addressing: by which of the installation's channels a customer can be reached now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opsapp.channels import registry
from opsapp.customers import queries as customers
from opsapp.kernel.crypto import Unreadable, unseal
from opsapp.notifications import rules

PUSH = frozenset({"webpush", "fcm"})

Address = tuple[str, int | None]  # with the id of a push address


@dataclass(frozen=True, slots=True)
class Target:
    """`place`: in the kind's order of channels; `address_id`: of a push address."""

    place: int
    channel: str
    address: str = field(repr=False)
    has_another: bool
    address_id: int | None = None


def find_targets(rows: Sequence[Any]) -> dict[int, Target]:
    """By notice. `rows` carry id, kind, place and the customer's id, email and phone; who has no
    address for any channel left has no target.
    """
    connected = list_connected()
    pushed = _push_addresses([row.customer_id for row in rows], connected)
    found = {}
    for row in rows:
        addresses: dict[str, Address] = {"email": (row.email, None), "sms": (row.phone, None)}
        addresses |= pushed.get(row.customer_id, {})
        reachable = {name for name in connected if addresses.get(name, ("", None))[0]}
        place = rules.find_place(row.kind, row.place, reachable)
        if place is None:
            continue
        channel = rules.kind_of(row.kind).order[place]
        address, address_id = addresses[channel]
        has_another = rules.find_place(row.kind, place + 1, reachable) is not None
        found[row.id] = Target(place, channel, address, has_another, address_id)
    return found


def list_connected() -> frozenset[str]:
    """The channels of this installation, by name."""
    return frozenset(channel.name for channel in registry.all_channels())


def _push_addresses(
    customer_ids: Sequence[int], connected: frozenset[str]
) -> dict[int, dict[str, Address]]:
    channels = sorted(PUSH & connected)
    if not channels or not customer_ids:
        return {}
    found: dict[int, dict[str, Address]] = {}
    newest = customers.list_push_addresses(sorted(set(customer_ids)), channels)
    for (customer_id, channel), (address_id, sealed) in newest.items():
        context = customers.push_address_context(customer_id, channel)
        try:
            address = unseal(sealed, context=context)
        except (Unreadable, ValueError, IndexError):
            continue  # its key is gone: nobody is reached there
        found.setdefault(customer_id, {})[channel] = (address, address_id)
    return found
