"""Webhooks to the shop on the screen: an address from its secret to its end, and the log."""

import re

import pytest

from opsapp import create_app
from opsapp.kernel.db import db
from opsapp.staff.rules import Role
from tests.factories.shop_events import deliver
from tests.factories.staff import make_account
from tests.fakes.shop import shop

PAGE = "/console/settings/webhooks/"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def receiver():
    with shop() as taking:
        yield taking


@pytest.fixture
def house(settings, receiver):
    trusting = {"webhooks_trusted_origins": receiver.origin}
    application = create_app(settings.model_copy(update=trusting))
    with application.app_context():
        for role in Role:
            make_account(role)
    yield application
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


def test_an_address_is_registered_tried_renewed_and_replayed(as_role, house, receiver):
    admin = as_role("admin")
    made = admin.post(PAGE, {"url": receiver.url, "note": "창고", "types": ["payment.paid"]})
    assert made.status_code == 200
    [secret] = {*SECRET.findall(made.text)}
    page = f"{PAGE}1"
    assert secret not in admin.get(page).text
    assert admin.post(f"{page}/test").status_code == 302
    with house.app_context():
        deliver()
    shown = admin.get(page).text
    assert "endpoint.test" in shown
    assert "204" in shown
    assert admin.post(f"{PAGE}deliveries/1").status_code == 302
    with house.app_context():
        deliver()
    assert len({taken.ref for taken in receiver.heard}) == 1
    assert len(receiver.heard) == 2
    [renewed] = {*SECRET.findall(admin.post(f"{page}/secret").text)}
    assert renewed != secret
    changed = admin.post(page, {"url": receiver.url, "types": []}, follow_redirects=True)
    assert "주소를 변경했습니다." in changed.text
    assert admin.post(f"{page}/replay", {"hours": "24"}).status_code == 302


def test_a_disabled_address_is_told_loudly_and_can_be_enabled_again(as_role, house, receiver):
    admin = as_role("admin")
    receiver.refuse(410)
    admin.post(PAGE, {"url": receiver.url})
    admin.post(f"{PAGE}1/test")
    with house.app_context():
        deliver()
    assert "주소 1곳이 중지되어" in admin.get(PAGE).text
    assert "더 받지 않겠다고 응답함" in admin.get(f"{PAGE}1").text
    assert "쇼핑몰 웹훅 중단" in admin.get("/console/tickets/").text
    assert admin.post(f"{PAGE}deliveries/1").status_code == 409
    assert admin.post(f"{PAGE}1/enable").status_code == 302
    assert "주소 1곳이 중지되어" not in admin.get(PAGE).text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example.com/hooks", "https 주소여야 합니다"),
        ("https://169.254.169.254/latest", "https 주소여야 합니다"),
        ("", "주소를 입력하세요"),
    ],
)
def test_an_address_that_must_not_be_called_is_refused_with_the_reason(as_role, house, url, why):
    refused = as_role("admin").post(PAGE, {"url": url})
    assert refused.status_code == 422
    assert why in refused.text
