import html
import re

import pytest

FIGURE = re.compile(
    r'<a class="tile[^"]*" href="([^"]+)"><span>[^<]*</span><strong>([\d,]+)</strong>'
)
LINKED = re.compile(r'<a href="([^"]+)">([\d,]+)(?:원)?</a>')
ROW = re.compile(r'<th scope="row">')


def rows_behind(visitor, url):
    page = visitor.get(html.unescape(url))
    assert page.status_code == 200, url
    return page.text, len(ROW.findall(page.text))


def number(text):
    return int(text.replace(",", ""))


@pytest.mark.parametrize("role", ["cs", "finance", "admin", "auditor"])
def test_each_figure_of_home_is_as_large_as_the_list_behind_it(as_role, scene, role):
    visitor = as_role(role)
    home = visitor.get("/console/").text
    tiles = FIGURE.findall(home)
    assert len(tiles) >= 4
    for url, count in tiles:
        assert rows_behind(visitor, url)[1] == number(count), url
    day = home.split('id="day"', 1)[1]
    linked = LINKED.findall(day)
    assert len(linked) >= 4, "the day's money, approvals, failures"
    for url, figure in linked:
        text, rows = rows_behind(visitor, url)
        assert rows == number(figure) or f"{figure}원" in text, url


def test_home_asks_the_database_at_most_twelve_times(as_role, scene, statements):
    for role in ("cs", "finance", "admin", "auditor"):
        visitor = as_role(role)
        statements.clear()
        assert visitor.get("/console/").status_code == 200
        # Whoever was away for a while is noted as seen: that is the sign-in's, not the page's.
        asked = [each for each in statements if not each.startswith("UPDATE staff_sessions")]
        assert len(asked) <= 12, "\n\n".join(asked)


def test_everybody_begins_with_what_is_theirs(as_role, scene):
    cs, finance, auditor = (as_role(role).get("/console/").text for role in
                            ("cs", "finance", "auditor"))  # fmt: skip
    assert "내 티켓" in cs
    assert "내 승인 대기" not in cs
    assert "내 승인 대기" in finance
    assert "내 티켓" not in finance
    assert "내 티켓" not in auditor


def test_parts_of_home_are_asked_for_without_keeping_anybody_signed_in(cs, scene, house):
    for part in ("work", "day", "health"):
        assert cs.get(f"/console/home/{part}").status_code == 200
        assert house.view_functions[f"console.home.show_{part}"].polled
