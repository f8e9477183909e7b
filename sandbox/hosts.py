"""Which host names mean this machine."""

from typing import Final

_LOOPBACK_NAMES: Final = frozenset({"localhost", "::1"})


def is_here(host: str, others: frozenset[str] = frozenset()) -> bool:
    """Whether a host is loopback or one of `others`."""
    return host in _LOOPBACK_NAMES or host in others or _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    octets = host.split(".")
    return (
        len(octets) == 4
        and octets[0] == "127"
        and all(octet.isascii() and octet.isdigit() and int(octet) <= 255 for octet in octets)
    )
