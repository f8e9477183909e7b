import asyncio
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from flask import Flask

from opsapp.channels import smtp
from opsapp.channels.base import Message, Outcome, Receipt
from opsapp.channels.smtp import SmtpChannel
from opsapp.kernel.db import TransactionMisuse, transaction

SENDER = "shop@example.com"


class Postbox:
    """A mail server that keeps what it is given, or answers as told."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers = {"RCPT": "250 OK", "DATA": "250 OK"}

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers["RCPT"]

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos
        letter: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.letters.append(letter)
        return self.answers["DATA"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def server(postbox: Postbox) -> Iterator[Controller]:
    def authenticate(_: Any, __: Any, ___: Any, ____: str, given: Any) -> AuthResult:
        return AuthResult(success=given == LoginPassword(b"user", b"p@ss"), handled=False)

    controller = Controller(
        postbox,
        hostname="127.0.0.1",
        port=_free_port(),
        authenticator=authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield controller
    controller.stop()


def channel(port: int, *, login: str = "") -> SmtpChannel:
    return SmtpChannel(f"smtp://{login}127.0.0.1:{port}", sender=SENDER, sender_name="가게")


def message(**changes: str) -> Message:
    values = {
        "ref": "note_a1b2",
        "kind": "payment_failed",
        "locale": "ko",
        "recipient": "kim@example.com",
        "subject": "결제 안내",
        "text": "12,000원\n.\n끝\n",
    }
    return Message(**(values | changes))


def send(to: SmtpChannel, what: Message) -> Receipt:
    return asyncio.run(to.send(what))


def test_a_message_arrives_whole_with_our_reference(server: Controller, postbox: Postbox) -> None:
    assert send(channel(server.port), message()).outcome is Outcome.ACCEPTED
    [letter] = postbox.letters
    assert letter["Message-ID"] == "<note_a1b2@example.com>"
    assert letter["Subject"] == "결제 안내"
    assert letter["To"] == "kim@example.com"
    assert letter["From"] == "가게 <shop@example.com>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content().replace("\r\n", "\n") == "12,000원\n.\n끝\n"


def test_a_password_in_the_address_is_used_and_a_wrong_one_costs_no_message(
    server: Controller, postbox: Postbox
) -> None:
    assert send(channel(server.port, login="user:p%40ss@"), message()).outcome is Outcome.ACCEPTED
    wrong = send(channel(server.port, login="user:wrong@"), message())
    assert wrong == Receipt(Outcome.AWAY, "SMTP 535")
    assert len(postbox.letters) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "결제\r\nBcc: all@example.com"},
        {"recipient": "kim@example.com\r\nBcc: all@example.com"},
        {"recipient": "kim@example.com, lee@example.com"},
        {"recipient": "nobody"},
        {"recipient": "<>"},
    ],
)
def test_no_header_and_no_second_recipient_can_be_smuggled_in(
    server: Controller, postbox: Postbox, changes: dict[str, str]
) -> None:
    assert send(channel(server.port), message(**changes)).outcome is Outcome.REFUSED
    assert postbox.letters == []


@pytest.mark.parametrize(
    ("step", "answer", "outcome"),
    [
        ("RCPT", "550 No such user kim@example.com", Outcome.REFUSED),
        ("RCPT", "451 Greylisted", Outcome.AWAY),
        ("DATA", "554 Spam", Outcome.REFUSED),
        ("DATA", "452 Full", Outcome.AWAY),
    ],
)
def test_a_final_refusal_is_told_from_one_of_the_moment_without_quoting_it(
    server: Controller, postbox: Postbox, step: str, answer: str, outcome: Outcome
) -> None:
    postbox.answers[step] = answer
    assert send(channel(server.port), message()) == Receipt(outcome, f"SMTP {answer[:3]}")


def test_a_server_that_is_away_is_no_refusal() -> None:
    assert send(channel(_free_port()), message()).outcome is Outcome.AWAY


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "COMMAND_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert send(channel(port), message()).outcome is Outcome.AWAY


def test_nothing_is_sent_while_a_transaction_is_open(app: Flask, server: Controller) -> None:
    with transaction(), pytest.raises(TransactionMisuse):
        send(channel(server.port), message())


def test_a_password_is_not_shown_to_another_machine_without_encryption() -> None:
    far = SmtpChannel("smtp://user:secret@mail.example.com", sender=SENDER, sender_name="")
    assert far._connection()._start_tls_on_connect is True
    near = SmtpChannel("smtp://user:secret@127.0.0.1", sender=SENDER, sender_name="")
    assert near._connection()._start_tls_on_connect is None
