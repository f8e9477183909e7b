"""Addresses that strangers gave us: called only if they are of the public internet.

A browser names the address that its push messages go to. Without these rules anybody with a
browser could have us knock at machines of our own network.
"""

import re
import socket
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

URL_LENGTH_MAX = 2048
HTTPS = 443
# They carry an IPv4 address that is called in the end: mapped, NAT64, 6to4, Teredo.
_CARRIERS = tuple(
    ip_network(net) for net in ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "2001::/32")
)


# Letters, digits, hyphens and dots: a bracket or a percent sign hides an address.
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class NotOfTheInternet(OSError):
    """A name that leads to a machine of ours, or might."""


class InternetResolver(AbstractResolver):
    """Looks a name up once, at the moment of connecting, and gives out only public addresses.

    The connection is made to what was checked, so a name that changes in between gains nothing.
    """

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise NotOfTheInternet("the name leads to an internal address")
        return found

    async def close(self) -> None:
        await self._inner.close()


def is_public(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if any(found in network for network in _CARRIERS):
        return False
    is_of_a_site = isinstance(found, IPv6Address) and found.is_site_local
    return found.is_global and not (found.is_multicast or found.is_reserved or is_of_a_site)


def is_callable(url: str, *, ports: Collection[int] = (HTTPS,)) -> bool:
    """https, a usual port, a host by name: no address, no user, nothing beyond a path."""
    if len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    last_label = host.rstrip(".").rpartition(".")[2]
    return (
        parts.scheme == "https"
        and (HTTPS if port is None else port) in ports
        and not (parts.username or parts.password)
        and "[" not in parts.netloc
        and _NAME.fullmatch(host) is not None
        and "." in host.rstrip(".")
        # Numbers in any dress (2130706433, 0x7f.1) end in a digit or in hex; names never do.
        and last_label.isalpha()
    )
