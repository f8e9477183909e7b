"""A messenger of each kind: doubles of SOLAPI and FCM over sockets, mail in memory."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from opsapp.channels import registry
from opsapp.channels.base import Capabilities, Channel, Message, Outcome, Receipt, RecipientKind
from opsapp.channels.fcm import FcmChannel
from opsapp.channels.solapi import SolapiChannel
from opsapp.customers import adding_addresses
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering, sending
from opsapp.notifications.models import Notice, NoticeDelivery
from opsapp.notifications.sending import NewNotice
from tests.factories.payments import make_customer
from tests.fakes import push, solapi
from tests.fakes.push import PushDouble
from tests.fakes.solapi import KEY, SECRET, SENDER, SolapiDouble

BY = Actor("worker", "test")
WEBHOOK_SECRET = "secret-of-the-webhook"
NOON = datetime(2027, 1, 4, 3, tzinfo=UTC)  # in Seoul
VALUES = {"amount_minor": 12000, "currency": "KRW", "at": "2026-11-21T15:30:00+00:00"}


class Sent(Channel):
    """A mail server that answers as told, keeps what it was sent, and counts who is there."""

    name = "email"
    capabilities = Capabilities(recipient=RecipientKind.EMAIL)
    timeout_s = 1
    abreast_max = 8

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.answer = Receipt(Outcome.ACCEPTED)
        self.here = self.most = 0

    async def _send(self, message: Message) -> Receipt:
        self.here += 1
        self.most = max(self.most, self.here)
        await asyncio.sleep(0)
        self.here -= 1
        self.messages.append(message)
        return self.answer


@pytest.fixture
def sent(app: Flask) -> Iterator[Sent]:
    before, channel = registry.all_channels(), Sent()
    registry.connect([channel])
    yield channel
    registry.connect(before)


@pytest.fixture(scope="session")
def solapi_server() -> Iterator[SolapiDouble]:
    with solapi.running() as double:
        yield double


@pytest.fixture(scope="session")
def push_server() -> Iterator[PushDouble]:
    with push.running() as double:
        yield double


@pytest.fixture
def phones(sent: Sent, solapi_server: SolapiDouble) -> SolapiDouble:
    """Text messages before mail, at noon."""
    solapi_server.forget()
    channel = SolapiChannel(
        url=solapi_server.url,
        api_key=KEY,
        api_secret=SECRET,
        sender=SENDER,
        webhook_secret=WEBHOOK_SECRET,
    )
    registry.connect([sent, channel])
    set_clock(NOON)
    return solapi_server


@pytest.fixture
def apps(sent: Sent, push_server: PushDouble) -> PushDouble:
    """Push to apps before mail, at noon."""
    push_server.forget()
    channel = FcmChannel(url=push_server.url, service_account=push_server.service_account())
    registry.connect([sent, channel])
    set_clock(NOON)
    return push_server


def set_clock(moment: datetime) -> None:
    with transaction():
        clock.set_to(moment)


def queue(
    kind: str = "payment_failed", *, subject_id: int = 7, customer_id: int = 0, **values: Any
) -> int:
    customer_id = customer_id or make_customer()
    with transaction():
        wish = NewNotice(kind, "payment", subject_id, customer_id, VALUES | values)
        assert sending.queue_notices([wish], by=BY) == 1
        return db.session.scalars(select(Notice.id).order_by(Notice.id.desc())).first() or 0


def queue_many(count: int, kind: str = "payment_failed") -> list[int]:
    customer_id = make_customer()
    wishes = [NewNotice(kind, "payment", n, customer_id, VALUES) for n in range(count)]
    with transaction():
        assert sending.queue_notices(wishes, by=BY) == count
        return list(db.session.scalars(select(Notice.id).order_by(Notice.id)))


def send(*notice_ids: int) -> None:
    delivering.send_notices(notice_ids, by=BY)


def notice(notice_id: int) -> Notice:
    with transaction():
        found = db.session.get_one(Notice, notice_id, populate_existing=True)
        db.session.expunge(found)
        return found


def tries(notice_id: int) -> list[tuple[str, str]]:
    """Channel and status of each, oldest first."""
    with transaction():
        rows = db.session.execute(
            select(NoticeDelivery.channel, NoticeDelivery.status)
            .where(NoticeDelivery.notice_id == notice_id)
            .order_by(NoticeDelivery.id)
        )
        return [(row.channel, row.status) for row in rows]


def provider_ref(notice_id: int) -> str:
    with transaction():
        refs = select(NoticeDelivery.provider_ref).where(NoticeDelivery.notice_id == notice_id)
        return db.session.scalars(refs.order_by(NoticeDelivery.id)).first() or ""


def make_due(**columns: Any) -> None:
    with transaction():
        db.session.execute(update(Notice).values(due_at=clock.now(), **columns))


def add_apps(customer_id: int, *addresses: str) -> None:
    for address in addresses:
        with transaction():
            adding_addresses.add_push_address(customer_id, "fcm", address, by=BY)


def subjects(messages: Sequence[Message]) -> list[str]:
    return [message.subject for message in messages]


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """Every SQL statement that is sent, in order."""
    noted: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        noted.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield noted
    event.remove(db.engine, "before_cursor_execute", note)
