"""Circuits in the database: shared by processes, cheap while all is well, alarming when not."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.insights.probing_log import state_changes
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.routing import pausing, queries, resting
from opsapp.routing.errors import CircuitElsewhere
from opsapp.routing.resting import part
from opsapp.routing.rules import HELD_BY_PROBES, HELD_MAX
from opsapp.routing.tallying import tally

BY = Actor("cli", "test")
GOOD = Answer(Outcome.APPROVED, took_s=0.1)
BAD = Answer(Outcome.UNKNOWN, code="READ_TIMEOUT", failure_class=FailureClass.GATEWAY)
WRONG = Answer(Outcome.MISCONFIGURED, code="UNAUTHORIZED_KEY")


def say(*answers: Answer, gateway: str = "toss") -> None:
    with transaction():
        tally([(gateway, f"attempt {n}", answer) for n, answer in enumerate(answers)], by=BY)


def ask(count: int, *, gateway: str = "toss") -> tuple[int, list[float]]:
    """How many may go, and the seconds for which the others are held."""
    rows: list[Any] = [SimpleNamespace(id=n, gateway_name=gateway) for n in range(count)]
    with transaction():
        parted = part(rows)
    return len(parted.going), [rest.total_seconds() for rest in parted.waiting]


def status(gateway: str = "toss") -> str:
    with transaction():
        return queries.read_circuits().of(gateway).status


@pytest.fixture
def statements(app) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def rest_is_over(owner: psycopg.Connection) -> Callable[[], None]:
    def end() -> None:
        owner.execute(
            "UPDATE gateway_circuits SET retry_at = clock_timestamp(), "
            "opened_at = clock_timestamp() - interval '1 minute' WHERE retry_at IS NOT NULL"
        )

    return end


def test_a_healthy_gateway_costs_one_statement_in_a_claim_and_none_in_a_record(statements):
    assert ask(100) == (100, [])
    assert len(statements) == 1
    statements.clear()
    say(*[GOOD] * 100)
    assert statements == []


def test_good_answers_are_counted_once_there_is_trouble(app, statements):
    ask(1)
    say(BAD)
    say(*[GOOD] * 40)
    say(*[BAD] * 9)
    with transaction():
        circuit = queries.read_circuits().of("toss")
    assert (circuit.status, circuit.calls, circuit.failures) == ("closed", 50, 10)


def test_an_outage_opens_the_circuit_probes_find_it_well_and_it_closes(app, owner, rest_is_over):
    say(*[BAD] * 10)
    assert status() == "open"
    going, [held_s] = ask(50)
    assert (going, held_s <= HELD_MAX.total_seconds()) == (0, True)
    with transaction():
        assert resting.count_askable() == {"toss": 0}
    rest_is_over()
    with transaction():
        assert resting.count_askable() == {"toss": 3}
    assert ask(50) == (3, [HELD_BY_PROBES.total_seconds()])
    assert ask(50)[0] == 0
    say(*[GOOD] * 3)
    assert ask(50) == (50, [])
    told = owner.execute(
        "SELECT from_state, to_state, because, actor FROM audit_entries "
        "WHERE subject_type = 'gateway_circuit' ORDER BY id"
    ).fetchall()
    assert [row[:3] for row in told] == [
        ("closed", "open", "most calls failed or were slow"),
        ("open", "probing", "time for a probe"),
        ("probing", "closed", "the probes went well"),
    ]
    with transaction():
        violations = [row for probe in state_changes() for row in db.session.scalars(probe)]
    assert violations == []


def test_a_gateway_in_trouble_holds_up_no_rows_of_another(app):
    say(*[BAD] * 10)
    rows: list[Any] = [
        SimpleNamespace(id=n, gateway_name=name) for n, name in enumerate(["toss", "other"] * 5)
    ]
    with transaction():
        parted = part(rows)
    assert {row.gateway_name for row in parted.going} == {"other"}
    assert list(parted.waiting.values()) == [[0, 2, 4, 6, 8]]


def test_two_processes_on_one_circuit_lose_no_answer_and_share_three_probes(app, rest_is_over):
    together = Barrier(8, timeout=60)

    def in_a_thread(act: Callable[[], Any]) -> Any:
        with app.app_context():
            together.wait(10)
            try:
                return act()
            finally:
                db.session.remove()

    say(BAD)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(in_a_thread, [lambda: say(GOOD, GOOD, BAD)] * 8))
        with transaction():
            circuit = queries.read_circuits().of("toss")
        assert (circuit.calls, circuit.failures) == (25, 9)
        say(*[BAD] * 20)
        rest_is_over()
        granted = list(pool.map(in_a_thread, [lambda: ask(2)[0]] * 8))
    assert sum(granted) == 3


def test_first_trouble_seen_by_many_at_once_makes_one_row(app, owner):
    together = Barrier(6, timeout=60)

    def fail(_number: int) -> None:
        with app.app_context():
            together.wait(10)
            say(BAD)
            db.session.remove()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(fail, range(6)))
    assert owner.execute("SELECT calls, failures FROM gateway_circuits").fetchall() == [(6, 6)]


def test_refused_settings_pause_the_gateway_and_alarm_staff_until_they_let_it_go_on(app, owner):
    say(WRONG, WRONG)
    assert status() == "closed"
    with transaction():
        tally([("toss", "refund 1", WRONG)], by=BY)
    assert status() == "paused"
    assert ask(3)[0] == 0
    ticket = "SELECT reason, subject_type, status FROM tickets"
    assert owner.execute(ticket).fetchall() == [("gateway_paused", "gateway_circuit", "open")]
    with transaction():
        pausing.resume("toss", because="the key was renewed", by=BY)
    assert (status(), ask(10)[0]) == ("probing", 3)
    assert owner.execute(ticket).fetchone()[2] == "resolved"


def test_staff_stop_a_gateway_and_try_a_resting_one(app):
    with transaction():
        pausing.pause("toss", because="maintenance announced", by=BY)
    assert status() == "paused"
    with pytest.raises(CircuitElsewhere), transaction():
        pausing.try_now("toss", because="too early", by=BY)
    with transaction():
        pausing.resume("toss", because="it is over", by=BY)
    say(BAD)
    assert status() == "open"
    with transaction():
        pausing.try_now("toss", because="they say it works", by=BY)
    assert status() == "probing"


def test_staff_name_a_gateway_of_this_installation_and_a_reason(app):
    with pytest.raises(Invalid), transaction():
        pausing.pause("toss", because="  ", by=BY)
    with pytest.raises(NotFound), transaction():
        pausing.pause("nobody", because="why not", by=BY)
    assert status() == "closed"
