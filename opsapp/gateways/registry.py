"""Which gateways this installation has."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from opsapp.gateways.base import Gateway
from opsapp.gateways.http import Limits
from opsapp.gateways.portone import PortOneGateway
from opsapp.gateways.stripe import StripeGateway
from opsapp.gateways.toss import TossGateway
from opsapp.settings import Settings

_gateways: dict[str, Gateway] = {}


def connect(gateways: Iterable[Gateway]) -> None:
    """Called once, by create_app."""
    _gateways.clear()
    _gateways.update({gateway.name: gateway for gateway in gateways})


def gateways_of(settings: Settings) -> list[Gateway]:
    """Those that the settings name."""
    found: list[Gateway] = [
        TossGateway(
            url=settings.toss_url,
            secret_key=settings.toss_secret_key.get_secret_value(),
            limits=_limits(settings, settings.toss_abreast_max, settings.toss_rate_per_s_max),
            client_key=settings.toss_client_key,
            window_url=settings.toss_window_url,
            security_key=settings.toss_security_key.get_secret_value(),
        )
    ]
    if settings.portone_secret.get_secret_value():
        found.append(_portone(settings))
    if settings.stripe_secret_key.get_secret_value():
        found.append(_stripe(settings))
    return found


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


def _portone(settings: Settings) -> Gateway:
    return PortOneGateway(
        url=settings.portone_url,
        secret=settings.portone_secret.get_secret_value(),
        limits=_limits(settings, settings.portone_abreast_max, settings.portone_rate_per_s_max),
        channels=settings.portone_channels,
        store_id=settings.portone_store_id,
        webhook_secret=settings.portone_webhook_secret.get_secret_value(),
        window_url=settings.portone_window_url,
    )


def _stripe(settings: Settings) -> Gateway:
    return StripeGateway(
        url=settings.stripe_url,
        secret_key=settings.stripe_secret_key.get_secret_value(),
        limits=_limits(settings, settings.stripe_abreast_max, settings.stripe_rate_per_s_max),
        publishable_key=settings.stripe_publishable_key,
        webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
    )


def _limits(settings: Settings, abreast_max: int, rate_per_s_max: float) -> Limits:
    """Bulk workers share what a gateway tolerates; a single process never takes it all."""
    return Limits(
        timeout_s=settings.gateway_timeout_s,
        inquiry_timeout_s=settings.gateway_inquiry_timeout_s,
        abreast_max=max(1, abreast_max // settings.bulk_worker_count),
        rate_per_s_max=rate_per_s_max / settings.bulk_worker_count,
    )
