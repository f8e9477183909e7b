"""Hands at the console: with a mouse, or on the keys alone, and how many steps they took.

A journey is written once, for either. A click, a key and one entry of text are a step each; what
the keyboard needs to get somewhere by Tab counts too, so its figures tell how far things lie apart.
"""

from abc import ABC, abstractmethod
from collections import Counter

from playwright.sync_api import Locator, Page, expect

TABS_MAX = 150
# What the control with the focus is called by whoever cannot see it.
NAME = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return "";
  const labels = [...(at.labels ?? [])].map((label) => label.textContent).join(" ");
  const named = at.getAttribute("aria-labelledby");
  const by = named ? document.getElementById(named)?.textContent : "";
  const own = at.matches("select, textarea, input") ? "" : at.textContent;
  return (at.getAttribute("aria-label") || by || labels || own || at.title || "")
    .replace(/\\s+/g, " ").trim();
}"""


class Hands(ABC):
    """`steps` counts clicks, keys and entries."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.steps: Counter[str] = Counter()

    @property
    def clicks(self) -> int:
        return self.steps["click"]

    def key(self, key: str) -> None:
        self.steps["key"] += 1
        self.page.keyboard.press(key)

    def write(self, text: str) -> None:
        """Into what has the focus."""
        self.steps["entry"] += 1
        self.page.keyboard.type(text)

    def search(self, text: str) -> None:
        """In the box at the head of every page, by its key."""
        self.key("/")
        self.write(text)
        self.key("Enter")

    def see(self, text: str) -> None:
        """Wait for it; whoever looks takes no step."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=30_000)

    @abstractmethod
    def press(self, control: Locator) -> None:
        """A link, a button, a box or a radio."""

    @abstractmethod
    def fill(self, field: Locator, text: str) -> None: ...

    @abstractmethod
    def choose(self, field: Locator, value: str) -> None:
        """An option of a select, by its value."""


class Mouse(Hands):
    def press(self, control: Locator) -> None:
        self.steps["click"] += 1
        control.click()

    def fill(self, field: Locator, text: str) -> None:
        self.steps["click"] += 1
        self.steps["entry"] += 1
        field.click()
        field.fill(text)

    def choose(self, field: Locator, value: str) -> None:
        self.steps["click"] += 2
        field.select_option(value)


class Keys(Hands):
    """Tab, Space, Enter, arrows and letters; never the mouse."""

    def press(self, control: Locator) -> None:
        self.go_to(control)
        is_radio = control.evaluate("(it) => it.matches('[type=radio], [type=checkbox]')")
        self.key("Space" if is_radio else "Enter")

    def fill(self, field: Locator, text: str) -> None:
        self.go_to(field)
        if field.get_attribute("type") == "date":
            self._write_date(field, text)
        else:
            self.key("ControlOrMeta+A")
            self.write(text)

    def _write_date(self, field: Locator, text: str) -> None:
        """Part by part, in the order of this browser's language."""
        year, month, day = text.split("-")
        self.write(f"{month}{day}{year}")
        if field.input_value() != text:
            for _ in range(2):
                self.key("ArrowLeft")
            self.write(year)
            self.key("ArrowRight")
            self.write(f"{month}{day}")
        assert field.input_value() == text

    def choose(self, field: Locator, value: str) -> None:
        self.go_to(field)
        options = field.evaluate("(it) => [...it.options].map((option) => option.value)")
        way = options.index(value) - options.index(field.input_value())
        for _ in range(abs(way)):
            self.key("ArrowDown" if way > 0 else "ArrowUp")
        assert field.input_value() == value, f"the keys went elsewhere than to {field}"

    def go_to(self, control: Locator) -> None:
        """By Tab, and by arrows inside a group of radios, as the browser has it."""
        expect(control).to_be_visible(timeout=30_000)
        group = control.evaluate("(it) => it.type === 'radio' ? it.name : ''")
        seen = []
        for _ in range(TABS_MAX):
            if control.evaluate("(it) => it === document.activeElement"):
                return
            in_group = group and self.page.evaluate("document.activeElement.name") == group
            self.key("ArrowDown" if in_group else "Tab")
            seen.append(self.page.evaluate(NAME))
        raise AssertionError(f"{control} cannot be reached by Tab; passed {seen}")
