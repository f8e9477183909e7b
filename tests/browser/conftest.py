"""A real browser against a real server: both are processes of their own."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, sync_playwright

from opsapp import create_app
from opsapp.cli import knocking
from opsapp.kernel.db import db
from opsapp.settings import Settings
from opsapp.staff.rules import Role
from tests.console.conftest import gateway as gateway  # a fixture
from tests.factories.money import set_money_policy
from tests.factories.scenes import Scene, furnish
from tests.factories.staff import PASSWORD, make_account
from tests.gateway_controls import GatewayControls
from tests.servers import free_port
from tests.waiting import until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, or the one that playwright has installed."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    return playwright.chromium.launch(
        executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
    )


def leave(context: BrowserContext) -> None:
    """Close it, once nothing is on its way to a page of it: Chromium 156 never ends a context in
    which another page arrives at that moment, and playwright waits for it without a limit.
    """
    for page in context.pages:
        with suppress(Error):  # what was on its way has arrived instead
            page.goto("about:blank")
        page.goto("about:blank")
    context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole run: playwright keeps an event loop running in this thread meanwhile, which
    tests that make charges cannot bear.
    """
    with sync_playwright() as playwright, launch(playwright) as chromium:
        yield chromium


@pytest.fixture
def house(settings: Settings) -> Iterator[Flask]:
    """For making data on this side; the server has an application of its own."""
    application = create_app(settings)
    with application.app_context():
        for role in Role:
            make_account(role)
        set_money_policy()
    yield application
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def scene(house: Flask, gateway: GatewayControls) -> Scene:
    def build() -> Scene:
        with house.app_context():
            return furnish(gateway)

    # Playwright keeps an event loop running in this thread; charging needs one of its own.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(build).result()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def url(
    house: Flask, environment: Callable[[], dict[str, str]], tmp_path: Path, port: int
) -> Iterator[str]:
    command = (sys.executable, "-m", "gunicorn", "wsgi:app", "--no-control-socket")
    options = ("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4")
    with (tmp_path / "web.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, *options], env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: server.poll() is not None or knocking.answers(f"{address}/healthz"))
        assert server.poll() is None, (tmp_path / "web.log").read_text()[-2000:]
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


class Screen:
    """A signed-in page that remembers everything the browser complained about."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.url = url
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, role: str) -> Page:
        self.open("/console/sign-in")
        self.page.fill("#email", f"{role}@example.com")
        self.page.fill("#password", PASSWORD)
        self.page.press("#password", "Enter")
        self.page.wait_for_url("**/console/")
        return self.page

    def _note(self, message: object) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def open_screen(browser: Browser, url: str) -> Iterator[Callable[..., Screen]]:
    contexts: list[BrowserContext] = []

    def build(
        role: str | None = "cs", *, phone: bool = False, dark: bool = False, locale: str = "ko"
    ) -> Screen:
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP,
            color_scheme="dark" if dark else "light",
            locale={"ko": "ko-KR", "en": "en-US"}[locale],
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        screen = Screen(context, url)
        if role:
            screen.sign_in(role)
        return screen

    yield build
    for context in contexts:
        leave(context)
