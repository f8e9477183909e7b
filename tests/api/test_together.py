"""Orders that come at the same moment are written together, and each is answered for itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from opsapp.api import idempotency, orders
from opsapp.api.idempotency import Call
from opsapp.api.order_schemas import NewOrder
from opsapp.customers.models import PaymentMethod
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import AuditEntry, Origin
from opsapp.orders.errors import OrderDiffers
from opsapp.orders.models import Order, OrderLeg
from opsapp.payments.models import Attempt
from opsapp.programs.answering import Asked
from opsapp.programs.models import ApiKey, ApiRequest
from tests.api.conftest import Program
from tests.factories.payments import make_customer, make_method

LINE = {"kind": "one_off", "title": "사과 3 kg", "unit_price": 12_000}


@pytest.fixture
def method(program) -> str:
    method_id = make_method(make_customer("C-1"))
    with transaction():
        return db.session.get_one(PaymentMethod, method_id).ref


def order(number, method, **changes):
    return {
        "id": f"N-{number}", "customer": "C-1", "title": "과일",
        "lines": [LINE | {"unit_price": 1_000 + number}], "payment_method": method,
    } | changes  # fmt: skip


def call(key_id, idempotency_key, body) -> Call:
    asked = Asked(key_id, idempotency_key, "POST", "/api/v1/orders", b"x" * 32)
    origin = Origin("192.0.2.1", f"of {body['id']}")
    return Call(asked, NewOrder.model_validate(body), Actor("program", "tests"), origin)


def ask(calls):
    return idempotency.once_together(calls, orders.create_together, 201)


def count(model) -> int:
    with transaction():
        return db.session.scalars(select(func.count()).select_from(model)).one()


def key_of_program() -> int:
    with transaction():
        return db.session.scalars(select(ApiKey.id)).one()


def test_of_many_in_one_transaction_each_has_its_own_answer_and_its_own_log(program, method):
    key_id = key_of_program()
    program.post("/orders", order(1, method), key="known")
    told = ask(
        [
            call(key_id, "a", order(2, method)),
            call(key_id, "b", order(3, method, customer="nobody")),
            call(key_id, "c", order(4, method, points=1)),
            call(key_id, "known", order(5, method)),
            call(key_id, "d", order(6, method)),
            call(key_id, "d", order(7, method)),
            call(key_id, "e", order(6, method)),
        ]
    )
    assert [place for place, answer in enumerate(told) if answer is not None] == [0, 4]
    assert '"id":"N-2"' in told[0].body
    assert '"id":"N-6"' in told[4].body
    again = program.post("/orders", order(2, method), key="a")
    assert (again.status_code, again.json["code"]) == (409, "idempotency_key_reused")
    with transaction():
        placed = db.session.execute(
            select(Order.order_ref, AuditEntry.action, AuditEntry.request_id)
            .join(OrderLeg, OrderLeg.order_id == Order.id)
            .join(
                AuditEntry,
                (AuditEntry.subject_type == "order") & (AuditEntry.subject_id == Order.id)
                | (AuditEntry.subject_type == "payment")
                & (AuditEntry.subject_id == OrderLeg.payment_id),
            )
            .where(Order.order_ref != "N-1")
        ).all()
    assert sorted(placed) == [
        ("N-2", "order.placed", "of N-2"),
        ("N-2", "payment.requested", "of N-2"),
        ("N-6", "order.placed", "of N-6"),
        ("N-6", "payment.requested", "of N-6"),
    ]


def test_one_that_is_refused_undoes_the_others_and_each_is_then_asked_alone(program, method):
    key_id = key_of_program()
    program.post("/orders", order(1, method))
    differs = call(key_id, "differs", order(1, method, title="x", lines=[LINE]))
    with pytest.raises(OrderDiffers):
        ask([call(key_id, "a", order(2, method)), differs])
    assert (count(Order), count(ApiRequest)) == (1, 1)
    refused = program.post("/orders", order(1, method, lines=[LINE]), key="differs")
    assert (refused.status_code, refused.json["code"]) == (409, "order_differs")
    again = program.post("/orders", order(1, method, lines=[LINE]), key="differs")
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_that_was_revoked_a_moment_ago_opens_nothing(program, method):
    assert program.post("/orders", order(1, method)).status_code == 201
    with transaction():
        db.session.execute(update(ApiKey).values(revoked_at=func.clock_timestamp()))
    assert program.post("/orders", order(2, method)).status_code == 401
    assert count(Order) == 1


def test_eight_threads_place_each_order_once(app, program, method):
    def place(number):
        return Program(app.test_client(), program.secret).post(
            "/orders", order(number % 40, method), key=f"of-{number}"
        )

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(place, range(80)))
    assert {answer.status_code for answer in answers} == {201}
    assert [answer.json["id"] for answer in answers] == [f"N-{n % 40}" for n in range(80)]
    assert [a.json["amount"] for a in answers] == [1_000 + n % 40 for n in range(80)]
    assert (count(Order), count(Attempt), count(ApiRequest)) == (40, 40, 80)


def test_a_cart_is_answered_the_same_together_and_alone(app, program, method):
    once = order(2, method, on_failure="release")
    [together] = ask([call(key_of_program(), "a", once)])
    alone = program.post("/orders", once | {"method_kind": None}, key="b")
    assert alone.text == together.body
