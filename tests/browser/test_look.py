"""Every screen in both languages and themes, at three widths: nobody shut out, nothing broken.

As a test each screen is seen in one look, every look being used in turn; `make screens` takes a
picture of each in all of them.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from opsapp.settings import Settings
from tests.browser.conftest import launch
from tests.browser.looking import EVERY_LOOK, Findings, Look, by_locale, look_at_all, timed
from tests.browser.screens import fill_in
from tests.browser.test_paying import aside
from tests.browser.world import World
from tests.factories.bad_days import SECOND_GATEWAY
from tests.portal.conftest import with_window

FOLDER = os.environ.get("OPSAPP_SCREENS_DIR")
# Neighbours in the list look alike: each gets another language, theme and width.
SAMPLE = [
    Look("ko", "light", 1440), Look("en", "dark", 390), Look("ko", "dark", 768),
    Look("en", "light", 768), Look("ko", "light", 390), Look("en", "dark", 1440),
]  # fmt: skip


@pytest.fixture
def settings(settings: Settings, sandbox_url: str, port: int) -> Settings:
    """Two gateways, of which one is asked nothing, and a window that leads back here."""
    here = {"public_url": f"http://127.0.0.1:{port}", "shop_name": "한빛상점"}
    known = with_window(settings, sandbox_url).model_dump() | here | SECOND_GATEWAY
    return type(settings)(**known)


@pytest.fixture
def world(house, gateway, owner) -> World:
    return aside(lambda: World(house, gateway, owner))


@pytest.mark.skipif(bool(FOLDER), reason="each is seen in every look then")
def test_no_screen_shuts_anybody_out_or_upsets_the_browser(browser, url, world):
    visits = [(*each, look) for each, look in zip(fill_in(world.values), cycle(SAMPLE))]
    found = Findings()
    for locale, own in by_locale(visits):
        world.speak(locale)
        found += look_at_all(browser, url, world, own)
    assert not found.faults, "\n".join(map(str, found.faults))


@pytest.mark.skipif(not FOLDER, reason="takes pictures: `make screens`")
def test_every_screen_in_every_look(url, world):
    """One server; as many browsers as there are processors."""
    began, found = time.monotonic(), Findings()
    visits = [(*each, look) for each in fill_in(world.values) for look in EVERY_LOOK]
    for locale, own in by_locale(visits):
        world.speak(locale)
        parts = [own[n :: os.cpu_count()] for n in range(os.cpu_count() or 1)]
        with ThreadPoolExecutor(len(parts)) as threads:
            for part in threads.map(lambda part: _in_own_browser(url, world, part), parts):
                found += part
    summary = found.summary() | {"took": timed(began)}
    (Path(FOLDER or "") / "summary.json").write_text(
        json.dumps(summary, indent=1, ensure_ascii=False)
    )
    assert not found.faults, f"see {FOLDER}/summary.json"


def _in_own_browser(url, world, visits):
    with sync_playwright() as playwright, launch(playwright) as chromium:
        return look_at_all(chromium, url, world, visits, FOLDER)
