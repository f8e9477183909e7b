"""The frame around every page: the menu by role, its figures, notes with a way back, the parts."""

import re
from types import SimpleNamespace

import pytest
from flask import url_for

from opsapp.console import charting, frame, navigation
from opsapp.insights import counting_queues
from opsapp.staff.rules import PERMISSIONS, Role

RAIL = re.compile(r'<nav class="rail".*?</nav>', re.DOTALL)


def menu(page):
    return RAIL.search(page.text)[0]


def test_a_role_finds_in_its_menu_what_it_may_open_and_nothing_else(house, as_role):
    with house.test_request_context():
        entries = [
            (url_for(entry.endpoint), entry.permission)
            for group in navigation.NAVIGATION
            for entry in group.entries
        ]
    for role in Role:
        shown = menu(as_role(role.value).get("/console/"))
        for link, permission in entries:
            may = permission in PERMISSIONS[role]
            assert (f'href="{link}"' in shown) == may, (role, link)


def test_the_menu_marks_the_screen_one_is_on_and_opens_its_group(cs):
    shown = menu(cs.get("/console/settings/terms/"))
    [marked] = re.findall(r'<a href="([^"]+)" aria-current="page"', shown)
    assert marked == "/console/settings/terms/"
    assert re.search(r'data-group="settings" open', shown)
    assert not re.search(r'data-group="finance" open', shown)


def test_a_screen_that_is_no_entry_belongs_to_one(cs):
    shown = menu(cs.get("/console/subscriptions/calendar/day?show=planned"))
    [marked] = re.findall(r'<a href="([^"]+)" aria-current="page"', shown)
    assert marked == "/console/subscriptions/calendar/"


def test_the_menu_counts_what_waits_in_one_statement(cs, scene, statements):
    figures = cs.get("/console/counts/").json
    asked = [sql for sql in statements if "tickets" in sql and "unmatched_money" in sql]
    assert len(asked) == 1
    assert figures["uncertain"] == 1
    counted = {e.count for g in navigation.NAVIGATION for e in g.entries if e.count}
    assert counted == figures.keys()


def test_a_figure_of_the_menu_ends_where_a_menu_can_show_no_more(house, scene, monkeypatch):
    monkeypatch.setattr(counting_queues, "COUNTED_MAX", 1)
    with house.app_context():
        assert max(counting_queues.count_queues(1).values()) == 1


def test_a_note_stands_on_the_next_page_only_and_offers_the_way_back(house, cs):
    def say():
        frame.say("<b>gone</b>", undo="/console/preferences/")
        return "said"

    say.permission, say.polled = "signed_in", False
    house.view_functions["console.counts.show"] = say
    cs.get("/console/counts/")
    page = cs.get("/console/").text
    assert "&lt;b&gt;gone&lt;/b&gt;" in page
    assert '<form method="post" action="/console/preferences/"><input type="hidden"' in page
    assert "gone" not in cs.get("/console/").text


def test_the_catalogue_of_parts_shows_both_themes_in_either_language(cs):
    for language in ("ko", "en"):
        page = cs.get(f"/console/_parts/?lang={language}")
        assert page.status_code == 200
        assert f'<html lang="{language}"' in page.text
        for theme in ("light", "dark"):
            assert f'<section class="parts-sheet" data-bs-theme="{theme}"' in page.text
        ids = re.findall(r'\bid="([^"]+)"', page.text)
        assert len(ids) == len(set(ids))


def test_in_production_there_is_no_catalogue_of_parts(cs, monkeypatch):
    monkeypatch.setattr("opsapp.console.parts.current", lambda: SimpleNamespace(mode="production"))
    assert cs.get("/console/_parts/").status_code == 404


def test_a_chart_is_as_high_as_its_figures():
    drawn = charting.draw(["a", "b", "c"], {"x": [0, 50, 200]})
    low, middle, high = drawn.bars
    assert (low.height, middle.height * 4) == (0, pytest.approx(high.height, abs=1))
    assert [tick.text for tick in drawn.ticks] == ["0", "50", "100", "150", "200"]
    assert drawn.rows == [("a", ["0"]), ("b", ["50"]), ("c", ["200"])]
