"""Which gateways this installation has."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from opsapp.gateways.base import Gateway

_gateways: dict[str, Gateway] = {}


def connect(gateways: Iterable[Gateway]) -> None:
    """Called once, by create_app."""
    _gateways.clear()
    _gateways.update({gateway.name: gateway for gateway in gateways})


def gateway_named(name: str) -> Gateway:
    return _gateways[name]


def all_gateways() -> list[Gateway]:
    return list(_gateways.values())


@asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """Hold every gateway's connections open: the `connected` step of kernel.turns."""
    async with AsyncExitStack() as stack:
        for gateway in _gateways.values():
            await stack.enter_async_context(gateway.connected())
        yield
