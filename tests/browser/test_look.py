"""Every screen in both themes, on a desk and on a phone: readable for everybody, quiet consoles."""

import json
import os
from pathlib import Path
from urllib.parse import urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import update

from opsapp.customers.models import Customer
from opsapp.kernel.db import db, transaction
from opsapp.settings import Settings
from tests.browser.test_paying import aside
from tests.factories.bad_days import (
    SECOND_GATEWAY,
    BadDay,
    have_a_bad_day,
    paths_of_ways_to_pay,
)
from tests.portal.conftest import with_window

FOLDER = os.environ.get("OPSAPP_SCREENS_DIR")
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
LOOKS = ["ko-desk-light", "ko-desk-dark", "ko-phone-light", "ko-phone-dark"]
# Other words change no structure: for the eye only.
LOOKS += ["en-desk-light", "en-phone-light"] if FOLDER else []


@pytest.fixture
def settings(settings: Settings, sandbox_url: str, port: int) -> Settings:
    """Two gateways, of which one is asked nothing, and a window that leads back here."""
    here = {"public_url": f"http://127.0.0.1:{port}", "shop_name": "한빛상점"}
    known = with_window(settings, sandbox_url).model_dump() | here | SECOND_GATEWAY
    return type(settings)(**known)


@pytest.fixture
def day(house, gateway, scene) -> BadDay:
    return aside(lambda: have_a_bad_day(house, gateway, scene))


def paths(scene):
    return {
        "home": "/console/",
        "payments": "/console/payments/",
        "payments-none": "/console/payments/?q=nothing-like-this",
        "payment-paid": f"/console/payments/{scene.paid}",
        "payment-partly-refunded": f"/console/payments/{scene.partly_refunded}",
        "payment-failed": f"/console/payments/{scene.failed}",
        "payment-uncertain": f"/console/payments/{scene.uncertain}",
        "payment-awaiting": f"/console/payments/{scene.awaiting}",
        "refunds": "/console/refunds/",
        "subscriptions": "/console/subscriptions/",
        "subscription": f"/console/subscriptions/{scene.subscription}",
        "subscription-cancel": f"/console/subscriptions/{scene.subscription}/cancel",
        "subscription-change": (
            f"/console/subscriptions/{scene.subscription}/change?quantity=2&when=period_end"
        ),
        "plans": "/console/settings/plans/",
        "plan": "/console/settings/plans/1",
        "customers": "/console/customers/",
        "customer": f"/console/customers/{scene.customers[0]}",
        "tickets": "/console/tickets/",
        "ticket": f"/console/tickets/{scene.ticket}",
        "notifications": "/console/notifications/",
        "notification": "/console/notifications/1",
        "notice-texts": "/console/notifications/templates/",
        "notice-text": "/console/notifications/templates/upcoming_charge/short/",
        "jobs": "/console/jobs/",
        "runs": "/console/jobs/runs/",
        "run": "/console/jobs/runs/1",
        "run-hold": "/console/jobs/runs/1/pause",
        "calendar": "/console/subscriptions/calendar/",
        "calendar-day": "/console/subscriptions/calendar/day",
        "gateways": "/console/settings/gateways/",
        "terms": "/console/settings/terms/",
        "terms-kind": "/console/settings/terms/recurring_payment/",
        "terms-version": "/console/settings/terms/versions/1",
        "agreements": f"/console/customers/{scene.customers[4]}/consents/",
        "recovery-board": "/console/recovery/",
        "recovery-list": "/console/recovery/?view=list",
        "recovery": "/console/recovery/1",
        "recovery-policies": "/console/recovery/policies/",
        "recovery-policy": "/console/recovery/policies/1?simulate=yes",
        "recovery-edit": "/console/recovery/policies/new",
        "audit": "/console/audit/",
        "staff": "/console/staff/",
        "not-found": "/console/payments/999999",
    }


def paths_of_shoppers(day):
    links = {f"pay-{stage}": link for stage, link in day.links.items()}
    links["pay-waiting"] = f"{day.links['at_window']}/result"
    return links | {
        "pay-wrong": "/pay/nobody-has-this-link",
        "refund-account": day.refund_account,
        "window": day.window,
    }


@pytest.mark.parametrize("look", LOOKS)
def test_no_screen_shuts_anybody_out_or_upsets_the_browser(open_screen, house, scene, day, look):
    locale, place, theme = look.split("-")
    screen = open_screen(None, phone=place == "phone", dark=theme == "dark", locale=locale)
    aside(lambda: _speak(house, locale))
    found = {}
    screen.open("/console/sign-in")
    _inspect(screen, f"sign-in-{look}", found)
    screen.sign_in("admin")
    if locale == "en":
        screen.page.locator(".menu summary").click()
        screen.page.get_by_role("button", name="English").click()
        screen.page.wait_for_selector("html[lang=en]")
    for name, path in _share_of(
        look, paths(scene) | paths_of_ways_to_pay(day) | paths_of_shoppers(day)
    ):
        screen.page.goto(urljoin(screen.url, path))
        _inspect(screen, f"{name}-{look}", found)
    # The browser itself reports the pages that are meant not to be there.
    complaints = [text for text in screen.complaints if "404" not in text]
    _write_summary(look, found, complaints)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert complaints == []


def _share_of(look, screens):
    """For pictures all of them; a test looks at each as a phone and on a desk, in either theme."""
    half = int(look in ("ko-desk-dark", "ko-phone-light"))
    return list(screens.items()) if FOLDER else list(screens.items())[half::2]


def _speak(house, locale):
    with house.app_context(), transaction():
        db.session.execute(update(Customer).values(locale=locale))


def _inspect(screen, name, found):
    wide = screen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    result = Axe().run(screen.page, options=WCAG)
    found[name] = [
        f"{wrong['id']}: {wrong['nodes'][0]['html'][:120]}"
        for wrong in result.response["violations"]
    ] + ([f"{wide} px wider than the screen"] if wide > 0 else [])
    if FOLDER:
        screen.page.screenshot(path=Path(FOLDER) / f"{name}.png", full_page=True)


def _write_summary(look, found, complaints):
    if not FOLDER:
        return
    csp = [text for text in complaints if "Content Security Policy" in text]
    summary = {
        "screens": len(found),
        "axe_violations": sum(map(len, found.values())),
        "csp_reports": len(csp),
        "console_errors": len(complaints) - len(csp),
        "pictures": [f"{name}.png" for name in found],
    }
    (Path(FOLDER) / f"part-{look}.json").write_text(json.dumps(summary))
