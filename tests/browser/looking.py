"""Looking at screens: each in the looks that are wanted, by axe, by width and by its picture."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import leave
from tests.browser.screens import Screen
from tests.browser.world import World
from tests.factories.staff import PASSWORD

NOT_THERE = ("not-found", "pay-wrong")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WCAG = {"runOnly": {"type": "tag", "values": LEVELS}, "resultTypes": ["violations"]}
HEIGHTS = {1440: 900, 768: 1024, 390: 844}
TOO_WIDE = """() => {
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over <= 0) return "";
  const sticking = [...document.querySelectorAll("body *")].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1 && !each.closest("[hidden]");
  }).pop();
  return `${over} px wider than the screen: ${sticking?.outerHTML.slice(0, 160)}`;
}"""


@dataclass(frozen=True, slots=True, order=True)
class Look:
    locale: str
    theme: str
    width: int

    def __str__(self) -> str:
        return f"{self.locale}-{self.theme}-{self.width}"


EVERY_LOOK = [
    Look(locale, theme, width)
    for locale in ("ko", "en")
    for theme in ("light", "dark")
    for width in HEIGHTS
]


@dataclass(slots=True)
class Findings:
    """What was wrong, by picture; `complaints` are the browser's own, by screen."""

    pictures: list[str] = field(default_factory=list)
    axe: dict[str, list[str]] = field(default_factory=dict)
    wide: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(
            self.pictures + other.pictures,
            self.axe | other.axe,
            self.wide | other.wide,
            self.complaints + other.complaints,
        )

    @property
    def faults(self) -> list[object]:
        return [*self.axe.items(), *self.wide.items(), *self.complaints]

    def summary(self) -> dict[str, Any]:
        """As the contract of `make screens` names it, and which rules were broken where."""
        csp = sum("Content Security Policy" in text for text in self.complaints)
        rules = Counter(wrong.partition(":")[0] for found in self.axe.values() for wrong in found)
        return {
            "screens": len(self.pictures),
            "axe_violations": sum(map(len, self.axe.values())),
            "csp_reports": csp,
            "console_errors": len(self.complaints) - csp,
            "too_wide": len(self.wide),
            "rules": dict(rules),
            "faults": {"axe": self.axe, "wide": self.wide, "complaints": self.complaints},
            "pictures": self.pictures,
        }


class Watcher:
    """Visits screens of one language as whoever may see them; writes down what is wrong."""

    def __init__(self, browser: Browser, url: str, world: World, locale: str) -> None:
        self.url, self.world, self.locale = url, world, locale
        self.found = Findings()
        self._browser = browser
        self._pages: dict[str, Page] = {}
        self._now = ""

    def open(self, screen: Screen, address: str) -> Page:
        """The page at rest."""
        page = self._pages.get(screen.role) or self._enter(screen.role)
        self._now = screen.name
        answer = page.goto(f"{self.url}{address}")
        if answer is None or (answer.status >= 400 and screen.name not in NOT_THERE):
            self._note(f"answered {answer and answer.status} at {address}")
        if screen.keys:
            page.keyboard.press(screen.keys)
        page.wait_for_selector(".htmx-request", state="detached")
        return page

    def look(self, screen: Screen, address: str, looks: Iterable[Look], folder: str | None) -> None:
        page = self.open(screen, address)
        page.evaluate(Axe().axe_script)
        for look in looks:
            page.emulate_media(color_scheme=look.theme, reduced_motion="reduce")
            page.set_viewport_size({"width": look.width, "height": HEIGHTS[look.width]})
            self._inspect(page, f"{screen.name}-{look}", folder)

    def enter_all(self, roles: Iterable[str], *, width: int = 390) -> None:
        for role in roles:
            page = self._pages.get(role) or self._enter(role)
            page.set_viewport_size({"width": width, "height": HEIGHTS[width]})

    def close(self) -> None:
        for page in self._pages.values():
            leave(page.context)

    def _inspect(self, page: Page, name: str, folder: str | None) -> None:
        self.found.pictures.append(f"{name}.png")
        found = page.evaluate("(options) => axe.run(document, options)", WCAG)
        if wrong := [
            f"{each['id']}: {node['html'][:160]}"
            for each in found["violations"]
            for node in each["nodes"][:3]
        ]:
            self.found.axe[name] = wrong
        if wide := page.evaluate(TOO_WIDE):
            self.found.wide[name] = wide
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True, timeout=120_000)

    def _enter(self, role: str) -> Page:
        self._now = f"sign-in of {role or 'nobody'}"
        context = self._browser.new_context(
            viewport={"width": 1440, "height": 900},
            locale={"ko": "ko-KR", "en": "en-US"}[self.locale],
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        self._pages[role] = page = context.new_page()
        page.on("pageerror", lambda error: self._note(f"page error: {error}"))
        page.on("console", self._hear)
        page.on("dialog", self._shut)
        page.on("request", self._follow)
        if role == "guest":
            page.goto(self.url + self.world.let_guest_in())
            page.locator("main form button").first.click()
            page.wait_for_url("**/my/**")
        elif role:
            self._sign_in(page, role)
        else:
            self._speak(context)
        return page

    def _sign_in(self, page: Page, role: str) -> None:
        page.goto(f"{self.url}/console/sign-in")
        page.fill("#email", f"{role}@example.com")
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_url("**/console/")

    def _speak(self, context: BrowserContext) -> None:
        context.add_cookies([{"name": "opsapp_locale", "value": self.locale, "url": self.url}])

    def _hear(self, message: Any) -> None:
        # The browser itself reports the pages that are meant not to be there.
        is_meant = "404" in message.text and self._now in NOT_THERE
        if message.type in ("error", "warning") and not is_meant:
            self._note(f"{message.text} ({message.location.get('url', '')})")

    def _shut(self, dialog: Any) -> None:
        self._note(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def _follow(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:")):
            self._note(f"asked a stranger: {request.url}")

    def _note(self, text: str) -> None:
        self.found.complaints.append(f"{self._now}-{self.locale}: {text}")


def look_at_all(
    browser: Browser,
    url: str,
    world: World,
    visits: Sequence[tuple[Screen, str, Sequence[Look]]],
    folder: str | None = None,
) -> Findings:
    """Visits of one language; a page is loaded once and then seen in each of its looks."""
    [locale] = {look.locale for _, _, looks in visits for look in looks}
    watcher = Watcher(browser, url, world, locale)
    for screen, address, looks in visits:
        watcher.look(screen, address, looks, folder)
    watcher.close()
    return watcher.found


def by_locale(
    visits: Iterable[tuple[Screen, str, Look]],
) -> Iterator[tuple[str, list[tuple[Screen, str, list[Look]]]]]:
    """Each language with its visits, a screen with all its looks."""
    ordered = sorted(visits, key=lambda visit: visit[2].locale)
    for locale, own in groupby(ordered, key=lambda visit: visit[2].locale):
        seen: dict[str, tuple[Screen, str, list[Look]]] = {}
        for screen, address, look in own:
            seen.setdefault(screen.name, (screen, address, []))[2].append(look)
        yield locale, list(seen.values())


def timed(began: float) -> str:
    return f"{(time.monotonic() - began) / 60:.1f} min"
