"""Which channels this installation has."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from opsapp.channels.base import Channel
from opsapp.channels.fcm import FcmChannel
from opsapp.channels.logged import LogChannel
from opsapp.channels.smtp import SmtpChannel
from opsapp.channels.solapi import SolapiChannel
from opsapp.channels.webpush import WebPushChannel
from opsapp.settings import Settings

_channels: dict[str, Channel] = {}


def connect(channels: Iterable[Channel]) -> None:
    """Called once, by create_app."""
    _channels.clear()
    _channels.update({channel.name: channel for channel in channels})


def channels_of(settings: Settings) -> list[Channel]:
    """Those that the settings name; without a mail server e-mail is only logged."""
    found: list[Channel] = [_email(settings)]
    if settings.solapi_api_key:
        found.append(_solapi(settings))
    if settings.webpush_private_key.get_secret_value():
        found.append(_webpush(settings))
    if account := settings.fcm_service_account.get_secret_value():
        found.append(FcmChannel(url=settings.fcm_url, service_account=account))
    return found


def channel_named(name: str) -> Channel:
    return _channels[name]


def find_channel(name: str) -> Channel | None:
    return _channels.get(name)


def all_channels() -> list[Channel]:
    return list(_channels.values())


@asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """Hold every channel's connections open: the `connected` step of kernel.turns."""
    async with AsyncExitStack() as stack:
        for channel in _channels.values():
            await stack.enter_async_context(channel.connected())
        yield


def _email(settings: Settings) -> Channel:
    if not settings.smtp_url:
        return LogChannel()
    sender, name = settings.mail_from, settings.shop_name
    return SmtpChannel(settings.smtp_url, sender=sender, sender_name=name)


def _solapi(settings: Settings) -> Channel:
    return SolapiChannel(
        url=settings.solapi_url,
        api_key=settings.solapi_api_key,
        api_secret=settings.solapi_api_secret.get_secret_value(),
        sender=settings.solapi_sender,
        kakao_channel=settings.solapi_kakao_channel,
        webhook_secret=settings.solapi_webhook_secret.get_secret_value(),
    )


def _webpush(settings: Settings) -> Channel:
    return WebPushChannel(
        private_key=settings.webpush_private_key.get_secret_value(),
        contact=settings.webpush_contact or f"mailto:{settings.mail_from}",
        trusted_origin=settings.webpush_trusted_origin,
    )
