"""Which channels this installation has."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from opsapp.channels.base import Channel
from opsapp.channels.logged import LogChannel
from opsapp.channels.smtp import SmtpChannel
from opsapp.settings import Settings

_channels: dict[str, Channel] = {}


def connect(channels: Iterable[Channel]) -> None:
    """Called once, by create_app."""
    _channels.clear()
    _channels.update({channel.name: channel for channel in channels})


def channels_of(settings: Settings) -> list[Channel]:
    """Those that the settings name; without a mail server e-mail is only logged."""
    if settings.smtp_url:
        sender, name = settings.mail_from, settings.shop_name
        return [SmtpChannel(settings.smtp_url, sender=sender, sender_name=name)]
    return [LogChannel()]


def channel_named(name: str) -> Channel:
    return _channels[name]


def all_channels() -> list[Channel]:
    return list(_channels.values())


@asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """Hold every channel's connections open: the `connected` step of kernel.turns."""
    async with AsyncExitStack() as stack:
        for channel in _channels.values():
            await stack.enter_async_context(channel.connected())
        yield
