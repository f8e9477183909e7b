"""The same request twice is done once; another one under its key is refused."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
from sqlalchemy import func, select, update

from opsapp.customers.models import Customer
from opsapp.kernel.db import db, transaction
from opsapp.programs import answering
from opsapp.programs.models import ApiKey, ApiRequest
from tests.api.conftest import Program
from tests.api.test_access import customer


def count(model):
    with transaction():
        return db.session.scalars(select(func.count()).select_from(model)).one()


def test_the_same_request_again_is_answered_as_before_and_done_once(program):
    first = program.post("/customers", customer(), key="once")
    again = program.post("/customers", customer(), key="once")
    assert (again.status_code, again.text) == (201, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert count(Customer) == 1


def test_another_body_or_address_under_the_same_key_is_refused(program):
    program.post("/customers", customer(), key="once")
    for path, body in (
        ("/customers", customer(id="C-2")),
        ("/payment-methods", {"customer": "C-1", "kind": "virtual_account"}),
    ):
        refused = program.post(path, body, key="once")
        assert (refused.status_code, refused.json["code"]) == (409, "idempotency_key_reused")
    assert count(Customer) == 1


def test_the_same_key_of_another_program_is_another_request(program, program_with):
    program.post("/customers", customer(), key="once")
    other = program_with().post("/customers", customer(id="C-2"), key="once")
    assert other.status_code == 201


def test_a_change_without_a_readable_key_is_refused(program):
    for key in ("", "a" * 101, "with space", "한글"):
        answer = program.client.post(
            "/api/v1/customers",
            json=customer(),
            headers={
                "Authorization": f"Bearer {program.secret}",
                "Idempotency-Key": key.encode().decode("latin-1"),
            },
        )
        assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_missing")
    assert count(Customer) == 0


def test_a_refusal_is_an_answer_too_and_changes_nothing(program):
    order = {"id": "O-1", "customer": "C-9", "title": "사과", "lines": [line()]}
    first = program.post("/orders", order, key="refused")
    assert first.status_code == 404
    program.post("/customers", customer(id="C-9"))
    again = program.post("/orders", order, key="refused")
    assert (again.status_code, again.text) == (404, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.mimetype == "application/problem+json"


def test_while_one_is_under_way_its_double_is_sent_away_and_comes_back(program, database_url):
    with psycopg.connect(database_url) as worker:
        with transaction():
            key_id = db.session.scalars(select(ApiKey.id)).one()
        name = f"{key_id}:slow"
        worker.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        away = program.post("/customers", customer(), key="slow")
        assert (away.status_code, away.json["code"]) == (409, "request_under_way")
        assert away.headers["Retry-After"] == "1"
    assert program.post("/customers", customer(), key="slow").status_code == 201


def test_what_fails_midway_leaves_neither_the_change_nor_an_answer(program, monkeypatch):
    def fail(*_args, **_more):
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(answering, "keep", fail)
    broken = program.post("/customers", customer(), key="crash")
    assert (broken.status_code, broken.json["code"]) == (500, "fault")
    monkeypatch.undo()
    assert (count(Customer), count(ApiRequest)) == (0, 0)
    assert program.post("/customers", customer(), key="crash").status_code == 201


def test_eight_threads_with_one_key_do_it_once(app, program, monkeypatch):
    def ask(_n):
        return Program(app.test_client(), program.secret).post(
            "/customers", customer(), key="together"
        )

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(16)))
    done = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.text for answer in done}) == 1
    assert (count(Customer), count(ApiRequest)) == (1, 1)


def test_kept_answers_are_sealed_and_forgotten_after_a_week(program):
    program.post("/customers", customer(), key="kept")
    with transaction():
        kept = db.session.scalars(select(ApiRequest)).one()
        assert "홍길동".encode() not in kept.answer_sealed
        answering.purge()
    assert count(ApiRequest) == 1
    with transaction():
        older = ApiRequest.created_at - answering.KEPT
        db.session.execute(update(ApiRequest).values(created_at=older))
        answering.purge()
    assert count(ApiRequest) == 0


def line(**changes):
    return {"kind": "one_off", "title": "사과 3 kg", "unit_price": 12_000} | changes
