import re
from html.parser import HTMLParser

import pytest

from tests.factories.bad_days import SECOND_GATEWAY, have_a_bad_day, paths_of_ways_to_pay
from tests.portal.conftest import with_window

LISTS = (
    "/console/payments/", "/console/refunds/", "/console/subscriptions/", "/console/customers/",
    "/console/tickets/", "/console/notifications/", "/console/jobs/", "/console/",
    "/console/notifications/1", "/console/notifications/templates/",
    "/console/notifications/templates/upcoming_charge/short/",
    "/console/settings/failure-codes/", "/console/settings/failure-codes/1",
    "/console/settings/gateways/", "/console/settings/plans/", "/console/settings/plans/1",
    "/console/recovery/", "/console/recovery/?view=list", "/console/recovery/policies/",
    "/console/recovery/policies/1", "/console/recovery/policies/new",
    "/console/jobs/runs/", "/console/jobs/runs/1", "/console/jobs/runs/1/pause",
    "/console/settings/sellers/",
    "/console/points/", "/console/points/adjustments", "/console/points/books",
    "/console/points/customers/1",
    "/console/subscriptions/calendar/", "/console/subscriptions/calendar/day?show=planned",
)  # fmt: skip
ADMIN_LISTS = ("/console/audit/", "/console/staff/")


def details(scene):
    return (
        f"/console/payments/{scene.paid}",
        f"/console/payments/{scene.partly_refunded}",
        f"/console/payments/{scene.failed}",
        f"/console/payments/{scene.uncertain}",
        f"/console/payments/{scene.awaiting}",
        f"/console/subscriptions/{scene.subscription}",
        f"/console/subscriptions/{scene.paused}",
        f"/console/subscriptions/{scene.subscription}/change?quantity=2&when=period_end",
        f"/console/customers/{scene.customers[0]}",
        f"/console/tickets/{scene.ticket}",
    )


def test_every_screen_opens_in_both_languages_within_its_size(as_role, scene):
    admin = as_role("admin")
    sizes = {}
    for locale in ("ko", "en"):
        admin.post("/console/preferences/", {"locale": locale})
        for path in (*LISTS, *ADMIN_LISTS, *details(scene)):
            page = admin.get(path)
            assert page.status_code == 200, (path, page.text[-500:])
            assert f'<html lang="{locale}"' in page.text
            sizes[locale, path] = len(page.data)
    assert max(sizes.values()) <= 40_000, sizes


@pytest.fixture
def settings(settings, sandbox_url):
    known = with_window(settings, sandbox_url).model_dump() | SECOND_GATEWAY
    return type(settings)(**known)


class Words(HTMLParser):
    """What a page says to people: without codes and what is marked as English."""

    CODES = ("code", "script", "style", "textarea", "title")
    EMPTY = ("meta", "link", "input", "br", "img", "hr")

    def __init__(self, page):
        super().__init__()
        self.said, self.hidden = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        has = dict(attrs)
        is_code = tag in self.CODES or "mono" in (has.get("class") or "")
        is_code |= tag != "html" and has.get("lang") == "en"
        if tag not in self.EMPTY and (self.hidden or is_code):
            self.hidden.append(tag)

    def handle_endtag(self, tag):
        if self.hidden and tag not in self.EMPTY:
            self.hidden.pop()

    def handle_data(self, data):
        if not self.hidden:
            self.said.append(data)


REFERENCE = re.compile(r"\b(?:c|co|link|op|pay|pk|ref|tx|um)_\w+")
MACHINE = re.compile(r"\b[a-z]+(?:[_.][a-z]+)+\b|\b(?:[a-z]+ ){3,}[a-z]+\b")
ADDRESSES = re.compile(r"\S+@\S+|opsapp\S*|https?://\S+|/console/\S*")


def test_on_a_bad_day_every_screen_opens_and_speaks_korean_only(as_role, scene, house, gateway):
    day = have_a_bad_day(house, gateway, scene)
    admin = as_role("admin")
    found = {}
    for path in (*paths_of_ways_to_pay(day).values(), *LISTS, *details(scene)):
        page = admin.get(path)
        assert page.status_code == 200, (path, page.text[-500:])
        assert len(page.data) <= 60_000, path
        said = ADDRESSES.sub("", REFERENCE.sub("", " ".join(Words(page.text).said)))
        assert "하루의 기준은" in said, "the page was read to its end"
        if words := set(MACHINE.findall(said)):
            found[path] = words
    assert found == {}
    admin.post("/console/preferences/", {"locale": "en"})
    for path in paths_of_ways_to_pay(day).values():
        assert '<html lang="en"' in admin.get(path).text, path


def test_words_that_nobody_translated_would_be_noticed(as_role):
    admin = as_role("admin")
    admin.post("/console/preferences/", {"locale": "en"})
    said = " ".join(Words(admin.get("/console/settings/gateways/").text).said)
    assert MACHINE.search(said)
