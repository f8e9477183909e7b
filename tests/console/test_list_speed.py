"""What keeps a list as fast at five million payments as at ten: few statements, each by an index.

The bench measures it (`python -m bench pages`); here the plans are asked, which no busy machine
changes. Sequential scans and sorts are forbidden to the planner, so where one is left in a plan,
no index gives the rows or their order.
"""

from urllib.parse import parse_qsl, urlencode

from sqlalchemy import event

from bench.pages import LISTS, STATEMENTS_MAX
from opsapp.console import access
from opsapp.insights import listing
from opsapp.kernel.db import db

# Rows of a few at any size, and what is kept as one row.
SMALL = (
    "test_clock",
    "staff_",
    "plans",
    "sellers",
    "failure_",
    "recovery_policies",
    "plan_versions",
)
WITHOUT = ("enable_seqscan", "enable_sort", "enable_incremental_sort", "enable_hashjoin")


def pages():
    for name, (path, filters) in LISTS.items():
        address, _, fixed = path.partition("?")
        for query in ({}, *filters):
            wanted = {key: str(value) for key, value in [*parse_qsl(fixed), *query.items()]}
            yield name, wanted, f"{address}?{urlencode(wanted)}"


def test_every_list_is_measured():
    unmeasured = {"point_adjustments", "failures"}  # hundreds of rows at most
    assert set(listing.LISTS) - unmeasured <= set(LISTS)


def test_no_list_asks_more_than_six_statements_whatever_is_filtered(
    as_role, scene, statements, monkeypatch
):
    # A sign-in is noted as seen every few seconds: here by each page, as by the slowest reader.
    monkeypatch.setattr(access, "SEEN_EVERY_S", 0)
    admin = as_role("admin")
    admin.get("/console/payments/")
    told = {}
    for _, _, page in pages():
        del statements[:]
        answer = admin.get(page)
        assert answer.status_code == 200, (page, answer.text[-300:])
        if len(statements) > STATEMENTS_MAX:
            told[page] = [statement[:90] for statement in statements]
    assert told == {}


def test_no_list_reads_or_sorts_a_whole_table(house, scene):
    sent = []
    with house.app_context():
        event.listen(
            db.engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, parameters, *_rest: sent.append((statement, parameters)),
        )
        wrong = []
        for name, query, page in pages():
            if name not in listing.LISTS:
                continue
            source = listing.LISTS[name]
            wish = source.read_wish(query)
            del sent[:]
            source.list_rows(wish, cursor=None, size=30)
            for statement, parameters in sent:
                found = _wrongs(_plan(statement, parameters), searched="q" in query)
                wrong += [(page, line) for line in found]
        assert wrong == []


def _plan(statement, parameters):
    cursor = db.session.connection().connection.cursor()
    for setting in WITHOUT:
        cursor.execute(f"SET LOCAL {setting} = off")
    cursor.execute(f"EXPLAIN {statement}", parameters)
    return [row[0].strip(" ->") for row in cursor.fetchall()]


def _wrongs(plan, *, searched):
    """What was found by a search, or waits to be settled, is few and is sorted after."""
    for place, line in enumerate(plan):
        if line.startswith("Seq Scan on"):
            if not line.removeprefix("Seq Scan on ").startswith(SMALL):
                yield line
        elif line.startswith(("Sort ", "Incremental Sort ")) and place == 1 and not searched:
            yield line
