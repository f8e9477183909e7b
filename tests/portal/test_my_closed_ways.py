"""Ways that somebody tried at the pages of their own, or of a cart, and that must stay closed."""

import re

import pytest

from opsapp.customers import registering
from opsapp.kernel.db import transaction
from tests.factories.checkouts import mixed
from tests.factories.guests import HOME, Guest
from tests.factories.members import CSRF, WORKER

# No number of ours, no text that a column can hold, no address that leads elsewhere.
ODD = ("%00", "a%00b", "%ff", "99999999999999999999", "9" * 4000, "-1", "%0d%0aX:1")


@pytest.fixture
def guest(house, gateway) -> Guest:
    return Guest(house, is_paid=False)


def test_an_address_that_is_none_is_refused_and_no_fault_of_ours(guest, house):
    form = {"csrf_token": CSRF.search(guest.get(HOME).text)[1]}
    tried = 0
    for rule in house.url_map.iter_rules():
        if rule.endpoint.startswith("portal_my_") and rule.arguments:
            for odd in ODD:
                path = re.sub("<[^>]+>", odd, rule.rule)
                is_get = "GET" in rule.methods
                answer = guest.get(path) if is_get else guest.browser.post(path, data=form)
                assert 400 <= answer.status_code < 500, (rule.rule, odd)
                tried += 1
    assert tried > 100


def test_points_that_are_no_number_of_points_are_refused_whatever_their_length(open_link):
    shopper = open_link(basket=mixed, points=5_000, has_card=True)
    filled = shopper.filled_in(shopper.look().text)
    for points in ("9" * 5_000, "9" * 14, "-1", "1e3", "٣", "0x10", " "):
        for act in ("pay", "recalculate"):
            form = {"method": shopper.card_ref, "points": points, "act": act} | filled
            answer = shopper.browser.post(shopper.home, data=form)
            assert answer.status_code == 422, (points[:20], act)
    assert shopper.stage == "choose"


def test_whoever_had_the_old_address_is_let_in_no_more_once_there_is_another(guest, house):
    def change(**changes):
        held = guest.customer
        told = {"name": held.name, "email": held.email, "phone": held.phone, "locale": held.locale}
        with house.app_context(), transaction():
            registering.change_contact(held.id, **(told | changes), by=WORKER)

    link = guest.my_link()
    change(locale="en", name="김하나")
    assert guest.get(HOME).status_code == guest.get(link).status_code == 200
    change(email="another@example.com")
    assert guest.get(HOME).status_code == 303
    assert guest.get(link).status_code == 404
    guest.sign_in()
    change(phone="010-9999-0000")
    assert guest.get(HOME).status_code == 303
