"""E-mail by SMTP: smtp://[user:password@]host[:port] or smtps://...

`smtps` is TLS from the first byte; `smtp` takes STARTTLS where the server offers it, and insists
on it before it shows a password to another machine.
"""

from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from opsapp.channels.base import (
    Capabilities,
    Channel,
    Message,
    Outcome,
    Receipt,
    RecipientKind,
)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
COMMAND_TIMEOUT_S = 15.0  # each of connect, greeting, envelope, data
COMMANDS_AT_MOST = 4


class SmtpChannel(Channel):
    name = "email"
    capabilities: ClassVar[Capabilities] = Capabilities(recipient=RecipientKind.EMAIL)
    timeout_s = COMMAND_TIMEOUT_S * COMMANDS_AT_MOST
    abreast_max = 16

    def __init__(self, url: str, *, sender: str, sender_name: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._is_tls else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._sender = Address(sender_name, addr_spec=sender)

    async def _send(self, message: Message) -> Receipt:
        try:
            letter = self._letter(message)
        except (ValueError, IndexError, MessageError, HeaderParseError):
            return Receipt(Outcome.REFUSED, "the address or the subject is malformed")
        try:
            async with self._connection() as connection:
                await connection.send_message(letter)
        except SMTPRecipientsRefused as refused:
            return _receipt(max(each.code for each in refused.recipients))
        except SMTPNotSupported:
            return Receipt(Outcome.REFUSED, "the mail server does not take this address")
        except SMTPDataError as answer:
            return _receipt(answer.code)
        except SMTPResponseException as answer:  # sign-in or sender: ours to mend, not the letter's
            return Receipt(Outcome.AWAY, f"SMTP {answer.code}")
        except (SMTPException, OSError, TimeoutError) as trouble:
            return Receipt(Outcome.AWAY, type(trouble).__name__)
        return Receipt(Outcome.ACCEPTED)

    def _letter(self, message: Message) -> EmailMessage:
        """Raises ValueError and its like: header values with line breaks, not one address."""
        letter = EmailMessage()
        letter["Subject"] = message.subject
        letter["From"] = self._sender
        letter["To"] = Address(addr_spec=message.recipient)
        letter["Date"] = formatdate()
        letter["Message-ID"] = f"<{message.ref}@{self._sender.domain}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter["Content-Language"] = message.locale
        letter.set_content(message.text)
        return letter

    def _connection(self) -> SMTP:
        must_hide = self._password is not None and self._host not in LOOPBACK
        return SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._is_tls,
            start_tls=False if self._is_tls else (True if must_hide else None),
            timeout=COMMAND_TIMEOUT_S,
        )


def _receipt(code: int) -> Receipt:
    """5xx is about this message for good, 4xx about this moment (RFC 5321, 4.2.1)."""
    is_final = 500 <= code < 600
    return Receipt(Outcome.REFUSED if is_final else Outcome.AWAY, f"SMTP {code}")
