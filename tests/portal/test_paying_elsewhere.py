"""Gateways whose money moves inside their window: the return is a reason to ask, and no more."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from opsapp.gateways import registry
from opsapp.gateways.values import Answer, Outcome, Window
from opsapp.kernel.money import Money
from tests.conformance.test_portone_window_and_books import press
from tests.factories import accounts
from tests.fakes.servers import portone_double


@pytest.fixture(scope="module")
def double() -> Iterator[str]:
    with portone_double() as url:
        yield url


@pytest.fixture
def settings(settings, double):
    return settings.model_copy(
        update={
            "portone_url": double,
            "portone_secret": type(settings.toss_secret_key)(f"secret-{secrets.token_hex(6)}"),
            "portone_store_id": "store-1",
            "portone_channels": "card=channel-card@KCP_V2,mobile=channel-mobile@KCP_V2",
            "portone_window_url": f"{double}/_double/window",
        }
    )


@pytest.fixture
def only(house):
    """This installation has one gateway."""

    def choose(name):
        registry.connect([registry.gateway_named(name)])

    return choose


def test_portone_pays_in_its_window_and_the_result_is_asked_for(shopper, only):
    only("portone")
    page = shopper.look()
    assert 'value="mobile"' in page.text
    assert 'value="transfer"' not in page.text
    back = press(shopper.go_to_window("card"), "approve")
    assert shopper.come_back(back).location.endswith("/result")
    assert shopper.stage == "at_window"
    shopper.work()
    assert shopper.stage == "paid"
    assert shopper.come_back(back).location.endswith("/result")
    with shopper.house.app_context():
        assert accounts.violations() == {}


def test_portone_declines_in_its_window_and_the_shopper_chooses_again(shopper, only):
    only("portone")
    back = press(shopper.go_to_window("card"), "decline", "CC10")
    parts = urlsplit(back)
    assert "code" in parse_qs(parts.query)
    page = shopper.browser.get(f"{parts.path}?{parts.query}")
    assert "left=" in page.location
    shopper.work()
    assert shopper.stage == "failed"
    press(shopper.go_to_window("card"), "approve")
    shopper.make_due()
    shopper.work()
    assert shopper.stage == "paid"


def test_a_stripe_return_is_known_by_the_key_that_the_window_was_opened_with(shopper, monkeypatch):
    toss = registry.gateway_named("toss")
    asked_only = replace(toss.capabilities, confirms_on_return=False)

    async def opened(_request):
        window = Window(script_url="https://js.stripe.com/v3/", vendor="stripe", fields={})
        return Answer(Outcome.PREPARED, gateway_key="pi_1", window=window)

    async def paid(_inquiry):
        return Answer(Outcome.APPROVED, gateway_key="pi_1", amount=Money(60_000, "KRW"))

    monkeypatch.setattr(toss, "_open_window", opened)
    monkeypatch.setattr(toss, "_inquire", paid)
    monkeypatch.setattr(type(toss), "capabilities", asked_only)
    assert shopper.choose("card").status_code == 200
    unknown = shopper.look("/return/stripe?payment_intent=pi_2&redirect_status=succeeded")
    assert unknown.status_code == 409
    known = shopper.look("/return/stripe?payment_intent=pi_1&redirect_status=succeeded")
    assert known.location.endswith("/result")
    shopper.work()
    assert shopper.stage == "paid"
