"""What a list page may cost, by figures that no busy machine moves: bytes, statements, calls."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from babel.dates import format_timedelta
from hypothesis import given, strategies as st

from bench.filling_pages import fill
from bench.pages import LISTS
from opsapp.console import cells
from opsapp.kernel import locale

BYTES_MAX = 40_000
# Of Python functions, for a page that was asked for before: about 15,000 when this was written.
CALLS_MAX = 18_000
AT_THEIR_LONGEST = (
    "UPDATE payments SET ref = 'pay_' || substr(md5(id::text), 1, 18), status = 'paid'",
    "UPDATE subscriptions SET ref = 'sub_' || substr(md5(id::text), 1, 18)",
    "UPDATE refunds SET ref = 'rfd_' || substr(md5(id::text), 1, 18)",
    (
        "UPDATE tickets SET status = 'open', answer_due_at = now() - interval '3 days',"
        " priority = 'urgent', assignee_id = NULL"
    ),
)
TEMPLATES = Path(__file__).parents[2] / "templates/console"


@pytest.fixture
def full_lists(settings, as_role):
    """Every list has more rows than a page shows."""
    fill(settings.database_url, 2500)
    return as_role("admin")


@pytest.fixture
def at_their_longest(settings, full_lists):
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in AT_THEIR_LONGEST:
            connection.execute(statement)
    return full_lists


def test_no_list_weighs_more_than_40_kb_however_full_it_is(at_their_longest):
    sizes = {}
    for language in ("ko", "en"):
        at_their_longest.post("/console/preferences/", {"locale": language})
        for path, _filters in LISTS.values():
            page = at_their_longest.get(path)
            assert page.status_code == 200, path
            sizes[language, path] = len(page.data)
    assert max(sizes.values()) <= BYTES_MAX, sizes


def test_a_list_page_takes_no_more_calls_than_it_did(full_lists):
    calls = {}
    for path in ("/console/", *(path for path, _filters in LISTS.values())):
        full_lists.get(path)
        full_lists.get(path)
        calls[path] = count_calls(lambda path=path: full_lists.get(path))
    assert max(calls.values()) <= CALLS_MAX, calls


def count_calls(act):
    found = [0]

    def note(_frame, event, _argument):
        if event == "call":
            found[0] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return found[0]


def test_a_page_asks_for_the_time_once(cs, scene, statements):
    for path in ("/console/", "/console/payments/", f"/console/customers/{scene.customers[0]}"):
        del statements[:]
        cs.get(path)
        assert sum("ops_now() AS" in sent for sent in statements) <= 1, path


def test_the_kept_parts_of_the_frame_hold_nothing_of_who_looks(house, as_role):
    first, second = as_role("cs"), as_role("finance")
    for visitor in (first, second, first):
        page = visitor.get("/console/payments/").text
    kept = "".join(house.extensions["standing parts"].values())
    assert 'href="/console/payments/"' in kept
    assert "csrf_token" not in kept
    for word in re.findall(r'<span class="print-only">([^·<]+)', page):
        assert word.strip() not in kept


def test_a_list_names_the_columns_that_it_draws_itself():
    for file in TEMPLATES.glob("*/list.html"):
        source = file.read_text()
        if "lists.table(" not in source:
            continue
        macro = source.partition("{% macro cell(row, c) %}")[2].partition("{% endmacro %}")[0]
        drawn = set(re.findall(r'c\.key == "(\w+)"', macro))
        for several in re.findall(r"c\.key in \(([^)]*)\)", macro):
            drawn |= set(re.findall(r'"(\w+)"', several))
        own = re.search(r"{% set own = \(([^)]*)\) %}", source)[1]
        assert set(re.findall(r'"(\w+)"', own)) == drawn, file


def test_cells_escape_what_they_are_given(house):
    hostile = "<b>\"'&"
    with house.test_request_context("/console/"):
        shown = [
            cells.subject(hostile, 7),
            cells.subject(hostile, None),
            cells.badge("payment", hostile),
            cells.icon(hostile),
            cells.plainly({})(Row(hostile), cells.Column("text", "Text", "code")),
        ]
    assert all("<b>" not in str(each) for each in shown)


class Row:
    def __init__(self, text):
        self.text = text


def test_a_moment_is_told_in_seoul_and_how_long_ago(house, monkeypatch):
    here = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
    monkeypatch.setattr(cells.frame, "now", lambda: here)
    with house.test_request_context("/console/"):
        told = [str(cells.when(here - timedelta(hours=hours))) for hours in (2, 24)]
    assert told == [
        (
            '<time datetime="2026-11-22T13:30:00+00:00" data-ago>22:30'
            " <small>(2시간 전)</small></time>"
        ),
        '<time datetime="2026-11-21T15:30:00+00:00">2026-11-22 00:30</time>',
    ]


@given(seconds=st.integers(-(10**8), 10**8), language=st.sampled_from(locale.LOCALES))
def test_a_length_of_time_is_said_as_babel_says_it(seconds, language):
    length, moment = timedelta(seconds=seconds), datetime(2026, 11, 22, tzinfo=UTC)
    token = locale.current_locale.set(language)
    try:
        assert locale.span(length) == format_timedelta(length, locale=language)
        ago = format_timedelta(length, add_direction=True, locale=language)
        assert locale.ago(moment + length, now=moment) == ago
    finally:
        locale.current_locale.reset(token)
