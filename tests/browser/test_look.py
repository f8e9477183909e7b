"""Every screen in both themes, on a desk and on a phone: readable for everybody, quiet consoles."""

import json
import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
LOOKS = [(phone, dark) for phone in (False, True) for dark in (False, True)]


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
        "customers": "/console/customers/",
        "customer": f"/console/customers/{scene.customers[0]}",
        "tickets": "/console/tickets/",
        "ticket": f"/console/tickets/{scene.ticket}",
        "notifications": "/console/notifications/",
        "jobs": "/console/jobs/",
        "audit": "/console/audit/",
        "staff": "/console/staff/",
        "not-found": "/console/payments/999999",
    }


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_no_screen_shuts_anybody_out_or_upsets_the_browser(open_screen, scene, phone, dark):
    screen = open_screen(None, phone=phone, dark=dark)
    look = f"{'phone' if phone else 'desk'}-{'dark' if dark else 'light'}"
    found = {}
    screen.open("/console/sign-in")
    _inspect(screen, f"sign-in-{look}", found)
    screen.sign_in("admin")
    for name, path in paths(scene).items():
        screen.open(path)
        _inspect(screen, f"{name}-{look}", found)
    # The browser itself reports the page that is meant not to be there.
    complaints = [text for text in screen.complaints if "404" not in text]
    _write_summary(look, found, complaints)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert complaints == []


def _inspect(screen, name, found):
    wide = screen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    result = Axe().run(screen.page, options=WCAG)
    found[name] = [
        f"{wrong['id']}: {wrong['nodes'][0]['html'][:120]}"
        for wrong in result.response["violations"]
    ] + ([f"{wide} px wider than the screen"] if wide > 0 else [])
    if folder := os.environ.get("OPSAPP_SCREENS_DIR"):
        screen.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _write_summary(look, found, complaints):
    folder = os.environ.get("OPSAPP_SCREENS_DIR")
    if not folder:
        return
    csp = [text for text in complaints if "Content Security Policy" in text]
    summary = {
        "screens": len(found),
        "axe_violations": sum(map(len, found.values())),
        "csp_reports": len(csp),
        "console_errors": len(complaints) - len(csp),
        "pictures": [f"{name}.png" for name in found],
    }
    (Path(folder) / f"part-{look}.json").write_text(json.dumps(summary))
