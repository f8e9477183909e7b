"""Many at the same moment: a balance is spent once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

from flask import Flask
from sqlalchemy import select

from opsapp.checkout.placing import NewCart, place_cart
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish
from opsapp.payments import charging
from opsapp.payments.models import Attempt
from opsapp.points import expiring, reserving, restoring
from opsapp.points.errors import NotEnoughPoints, NothingToRestore
from tests.factories.payments import make_method
from tests.points.conftest import BY, Purse, pass_days, violations

THREADS = 8


def at_once(app: Flask, jobs: list[Callable[[], object]]) -> list[object]:
    """Each job once, by eight threads that begin together; what it gave or raised."""
    start = Barrier(THREADS, timeout=60)
    done: list[object] = [None] * len(jobs)

    def work(first: int) -> None:
        start.wait()
        for number in range(first, len(jobs), THREADS):
            with app.app_context():
                try:
                    done[number] = jobs[number]()
                except (NotEnoughPoints, NothingToRestore) as refused:
                    done[number] = refused
                finally:
                    db.session.remove()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    return done


def test_two_hundred_carts_spend_a_balance_once(app: Flask) -> None:
    mine = Purse(1000)
    for days in (3, 9, 30):
        mine.earn(1000, days=days)
    card = make_method(mine.customer_id)
    line = LineWish("one_off", "머그컵", 1, Money(9_000, "KRW"))
    carts = [
        NewCart(f"cart-{n}", mine.customer_id, "머그컵", (line,), 70 + n % 5, card)
        for n in range(200)
    ]

    def place(cart: NewCart) -> int:
        with transaction():
            return place_cart(cart, by=BY, hurry=False)

    made = at_once(app, [partial(place, cart) for cart in carts])
    placed = [cart for cart, one in zip(carts, made, strict=True) if isinstance(one, int)]
    spent = sum(cart.points for cart in placed)
    assert 4000 - 74 < spent <= 4000, "nothing is overspent, and nothing that would fit is refused"
    assert (mine.balance.available, mine.balance.reserved) == (4000 - spent, spent)
    with transaction():
        attempts = list(db.session.scalars(select(Attempt.id)))
    assert len(attempts) == len(placed)
    charging.execute_attempts(attempts, by=BY)
    assert (mine.balance.available, mine.balance.reserved) == (4000 - spent, 0)
    assert violations() == []


def test_a_reservation_is_posted_or_voided_and_never_both(app: Flask) -> None:
    mine, yours = Purse(1000), Purse(1000)
    ids = [(mine, yours)[n % 2].reserve(10, mine.customer_id * 1000 + n) for n in range(40)]
    # Overlapping batches in both directions: whoever locks in another order waits for ever.
    posts = [lambda part=ids[n : n + 10]: mine.post(*part) for n in range(0, 40, 5)]
    voids = [lambda part=ids[n : n + 10][::-1]: mine.void(*part) for n in range(0, 40, 5)]
    pairs = [job for both in zip(posts, voids, strict=True) for job in both]
    done = at_once(app, pairs)
    posted = [one for each in done[::2] for one in each]
    voided = [one for each in done[1::2] for one in each]
    assert sorted(posted + voided) == sorted(ids)
    left = mine.balance.available + yours.balance.available
    assert left == 2000 - 10 * len(posted)
    assert mine.balance.reserved == yours.balance.reserved == 0
    assert violations() == []


def test_what_two_hundred_give_back_is_never_more_than_was_spent(app: Flask) -> None:
    mine = Purse(1000)
    reservation = mine.reserve(900)
    mine.post(reservation)

    def give_back(number: int) -> int:
        with transaction():
            return restoring.restore(
                reservation, 70, request_id=f"agent-{number // 2:04}", because="반품", by=BY
            )

    done = at_once(app, [lambda n=n: give_back(n) for n in range(200)])
    assert len({one for one in done if isinstance(one, int)}) == 12
    assert mine.balance.available == 100 + 12 * 70
    assert violations() == []


def test_points_expire_under_those_who_spend_them(app: Flask) -> None:
    purses = [Purse() for _ in range(10)]
    for purse in purses:
        purse.earn(100, days=0)
        purse.earn(50)
    pass_days(1)

    def sweep() -> None:
        with transaction():
            expiring.expire_due(limit=3)

    spend = [lambda purse=purse: purse.reserve(50, purse.customer_id) for purse in purses]
    done = at_once(app, [job for one in spend for job in (one, sweep)])
    assert [one for one in done if isinstance(one, Exception)] == []
    expiring.expire_all()
    assert {(purse.balance.available, purse.balance.reserved) for purse in purses} == {(0, 50)}
    assert violations() == []


def test_a_subject_that_is_reserved_twice_at_once_is_reserved_once(app: Flask) -> None:
    mine = Purse(1000)

    def again() -> int:
        with transaction():
            return reserving.reserve(
                mine.customer_id, 100, subject_type="order_leg", subject_id=7, by=BY
            )

    assert len(set(at_once(app, [again] * 16))) == 1
    assert (mine.balance.available, mine.balance.reserved) == (900, 100)
