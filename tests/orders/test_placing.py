import threading

import pytest
from sqlalchemy import event, func, select

from opsapp.customers.deleting import delete
from opsapp.customers.errors import MethodNotUsable, MethodOfAnother
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.jobs import OutboxJob
from opsapp.kernel.money import Money
from opsapp.orders import queries
from opsapp.orders.errors import OrderDiffers
from opsapp.orders.models import Order
from opsapp.orders.placing import LineWish, NewOrder, place_order, place_orders
from opsapp.payments.models import Payment
from tests.factories.payments import BY, make_customer, make_method
from tests.waiting import join


def order(ref: str = "o-1", *, amount: int = 15_000, customer_id: int = 0) -> NewOrder:
    customer_id = customer_id or make_customer()
    method_id = make_method(customer_id, kind="virtual_account")
    return NewOrder(ref, customer_id, method_id, "머그컵 2개", Money(amount, "KRW"))


def place(wish: NewOrder) -> int:
    with transaction():
        return place_order(wish, by=BY)


def count(model: type) -> int:
    with transaction():
        return db.session.scalars(select(func.count()).select_from(model)).one()


def test_an_order_is_one_payment_however_often_it_is_placed(app):
    wish = order()
    assert place(wish) == place(wish)
    assert (count(Order), count(Payment)) == (1, 1)
    with transaction():
        [found] = queries.list_orders(limit=10)
        [picture] = queries.get_picture(found.id).legs
        leg, payment = picture.leg, picture.payment
        assert (payment.subject_type, payment.subject_id) == ("order", found.id)
        assert payment.amount == found.amount == leg.money


def test_a_person_who_waits_is_served_at_once(app):
    place(order())
    with transaction():
        queues = db.session.scalars(select(OutboxJob.queue)).all()
    assert list(queues) == ["charges.toss"]


def test_many_orders_wait_for_the_bulk_workers(app):
    customer_id = make_customer()
    wishes = [order(f"o-{n}", customer_id=customer_id) for n in range(5)]
    with transaction():
        ids = place_orders([*wishes, wishes[0]], by=BY)
    assert ids[0] == ids[-1]
    assert (len(set(ids)), count(Order), count(OutboxJob)) == (5, 5, 0)


def test_the_number_of_another_order_is_refused(app):
    wish = order()
    place(wish)
    other = order(amount=1, customer_id=wish.customer_id)
    with pytest.raises(OrderDiffers):
        place(other)
    assert count(Payment) == 1


def test_a_double_click_places_one_order(app):
    wish, placed = order(), []

    def click() -> None:
        with app.app_context():
            placed.append(place(wish))

    clicks = [threading.Thread(daemon=True, target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    join(*clicks)
    assert len(placed) == 4
    assert len(set(placed)) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"order_ref": ""}, "order_ref"),
        ({"order_ref": "x" * 65}, "order_ref"),
        ({"title": " "}, "title"),
        ({"title": "가" * 101}, "title"),
        ({"amount": Money(0, "KRW")}, "amount"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_its_field(values, field):
    fields = {"order_ref": "o", "title": "머그컵", "amount": Money(1, "KRW")} | values
    with pytest.raises(Invalid) as refused:
        NewOrder(customer_id=1, payment_method_id=1, **fields)
    assert refused.value.field == field


def test_only_a_method_of_their_own_that_works_pays_for_an_order(app):
    mine = order()
    foreign = NewOrder("o-2", make_customer(), mine.payment_method_id, "머그컵", Money(1, "KRW"))
    with pytest.raises(MethodOfAnother):
        place(foreign)
    with transaction():
        delete(mine.payment_method_id, by=BY)
    with pytest.raises(MethodNotUsable, match="deleted"):
        place(mine)


def test_however_many_orders_and_lines_are_placed_at_once_the_statements_stay_few(app):
    customer_id = make_customer()
    method_id = make_method(customer_id)
    goods = tuple(LineWish("one_off", f"책 {n}", 1, Money(9_000, "KRW")) for n in range(5))
    wishes = [NewOrder(f"o-{n}", customer_id, method_id, "책", lines=goods) for n in range(20)]
    sent = []
    with transaction():
        connection = db.session.connection()
        event.listen(connection, "before_cursor_execute", lambda *told: sent.append(told[2]))
        place_orders(wishes, by=BY)
    assert len(sent) <= 10, sent
    assert (count(Order), count(Payment)) == (20, 20)
