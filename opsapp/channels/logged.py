"""E-mail where no mail server is named: one log line, without a word of the message."""

from typing import ClassVar

import structlog

from opsapp.channels.base import (
    Capabilities,
    Channel,
    Message,
    Outcome,
    Receipt,
    RecipientKind,
)

log = structlog.get_logger(__name__)


class LogChannel(Channel):
    name = "email"
    capabilities: ClassVar[Capabilities] = Capabilities(recipient=RecipientKind.EMAIL)
    timeout_s = 1
    abreast_max = 500  # nobody is waited for

    async def _send(self, message: Message) -> Receipt:
        log.info("notice.logged", ref=message.ref, kind=message.kind, locale=message.locale)
        return Receipt(Outcome.ACCEPTED)
