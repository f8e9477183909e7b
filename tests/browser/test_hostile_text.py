"""Whatever strangers write is shown as they wrote it, on every screen, and does nothing else."""

import os
from urllib.parse import urlencode

from tests.browser import desk
from tests.browser.hostile import FREE, OWN_HERE, PAYLOADS, PROGRAMS_OWN, columns, free, spread
from tests.browser.looking import TOO_WIDE, Watcher
from tests.browser.screens import fill_in
from tests.browser.test_look import settings as settings, world as world
from tests.browser.test_paying import aside

# Each payload in each field, 40 times as long: to be run with `-o faulthandler_timeout=0`.
EVERY_TURN = bool(os.environ.get("OPSAPP_HOSTILE"))
TURNS = range(len(PAYLOADS)) if EVERY_TURN else (0,)
TAKEN_IN = """() => [
  ...[...document.querySelectorAll("[data-hostile]")].map((each) => each.outerHTML.slice(0, 200)),
  ...[...document.querySelectorAll("a, form, iframe, img, object")]
    .map((each) => each.getAttribute("href") ?? each.getAttribute("action") ?? each.src ?? "")
    .filter((address) => /^\\s*(javascript|data:text|vbscript)/i.test(address)),
  ...(document.body.innerText.includes("13377") && !document.body.innerText.includes("x in (1,)")
    ? ["a template was filled in"] : []),
]"""
SEARCHED = ("payments", "customers", "subscriptions", "orders", "tickets", "audit", "search")


def test_hostile_text_in_every_field_is_only_text_on_every_screen(browser, url, world):
    watcher = Watcher(browser, url, world, "ko")
    screens = list(fill_in(world.values))
    watcher.enter_all({screen.role for screen, _ in screens})  # while people have their own names
    aside(lambda: desk.write_notes(world.house, world.scene, PAYLOADS))
    wrong = {}
    for turn in TURNS:
        let_in_again(world.owner)
        assert spread(world.owner, turn=turn) == []
        for screen, address in (*screens, *searches(screens, turn)):
            page = watcher.open(screen, address)
            if found := [*page.evaluate(TAKEN_IN), *filter(None, [page.evaluate(TOO_WIDE)])]:
                wrong[screen.name, turn] = found
    watcher.close()
    faults = [f"{where}: {what}" for where, what in wrong.items()] + watcher.found.complaints
    assert not faults, "\n".join(faults)


def let_in_again(owner):
    """Forty turns outlast the links, and are more tries of a wrong one than an hour allows."""
    owner.execute("DELETE FROM link_tries")
    owner.execute(
        "UPDATE one_time_links SET expires_at = expires_at + interval '1 hour'"
        " WHERE expires_at > ops_now()"
    )


def searches(screens, turn):
    """Lists that repeat what was looked for."""
    for number, (screen, address) in enumerate(screens):
        if screen.name in SEARCHED:
            yield screen, f"{address}?{urlencode({'q': PAYLOADS[(turn + number) % 40]})}"


def test_markup_that_got_through_would_be_noticed(browser):
    """Else a page without faults says nothing: the texts put into a page as they are."""
    page, missed = browser.new_page(), []
    for text in PAYLOADS:
        page.set_content(
            f"<title>x</title><p>{text}</p><input value=\"{text}\"><a href='{text}'>x</a>"
        )
        if not page.evaluate(TAKEN_IN):
            missed.append(text)
    page.close()
    assert all("data-hostile" not in text for text in missed if text[0] in "<\"'-]")
    assert len(missed) <= 8, missed


def test_every_column_of_text_is_known_as_peoples_words_or_the_programs(owner):
    unknown = {
        f"{table}.{name}"
        for table, name in columns(owner)
        if name not in PROGRAMS_OWN and (table, name) not in {*free(), *OWN_HERE}
    }
    assert unknown == set()
    assert {table for table, _ in columns(owner)} >= set(FREE)
