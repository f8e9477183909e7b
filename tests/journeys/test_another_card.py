"""A card that ends: the mail that says so, its link, the payment company's page, and the new card.

The mail is one that arrived at a mail server, the window is the sandbox's.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import update

from opsapp.customers.models import PaymentMethod
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering
from opsapp.notifications.models import Notice
from opsapp.settings import Settings
from opsapp.subscriptions import expiring
from tests.factories.members import WORKER, Member
from tests.portal.conftest import gateway as gateway, house as house, with_window
from tests.servers import free_port

LINK = re.compile(r"https?://\S*(/my/payment-method/[\w-]{43})")


class Postbox:
    def __init__(self) -> None:
        self.letters: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        letter: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.letters.append(f"{letter['Subject']}\n{letter.get_content()}")
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Postbox, str]]:
    postbox, port = Postbox(), free_port()
    server = Controller(postbox, hostname="127.0.0.1", port=port)
    server.start()
    yield postbox, f"smtp://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def settings(settings: Settings, sandbox_url: str, mail: tuple[Postbox, str]) -> Settings:
    return with_window(settings, sandbox_url).model_copy(update={"smtp_url": mail[1]})


def post(house, postbox):
    """What waits to be sent goes out; the letters it became."""
    before = len(postbox.letters)
    with house.app_context():
        with transaction():
            queued = [n.id for n in db.session.query(Notice).filter_by(status="queued")]
        delivering.send_notices(queued, by=WORKER)
    return postbox.letters[before:]


def links_in(letters):
    return [link for letter in letters for link in LINK.findall(letter)]


def test_from_the_mail_about_a_card_that_ends_to_a_charge_with_the_new_one(
    house, gateway, mail, owner
):
    postbox, _ = mail
    member = Member(house)
    with house.app_context(), transaction():
        ends = seoul_date(clock.now()) + timedelta(days=25)
        db.session.execute(update(PaymentMethod).values(expires_on=ends))
        assert expiring.tell_of_expiring() == 1
    [early] = links_in(post(house, postbox))
    assert str(ends) in member.get(early).text
    member.pass_time(timedelta(days=31))
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    member.renew()
    for _ in range(4):
        member.pass_time(timedelta(days=4))
        member.work()
    gateway.clear()
    assert member.subscription.status == "suspended"
    letters = post(house, postbox)
    assert any("일시 중지" in letter for letter in letters)
    late = links_in(letters)[-1]
    page = member.get(late)
    assert "유효기간이 지나" in page.text
    assert "9,900원 미납" in page.text
    answer = member.register(late)
    member.work()
    member.work()
    done = member.get(answer.location).text
    assert "결제수단이 등록되었습니다" in done
    assert "미납" not in done
    assert member.subscription.status == "active"
    statuses = owner.execute("SELECT status FROM payments ORDER BY id").fetchall()
    assert statuses == [("paid",), ("paid",)]
    assert member.get(late).location.endswith("/result"), "a link registers once"
    assert member.get(early).status_code == 404, "a link of last month is over"
