from datetime import timedelta

import pytest
from sqlalchemy import select

from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.ledger.models import LedgerTransfer
from opsapp.notifications.models import Notice
from opsapp.points import adjusting, expiring, queries, restoring, rules
from opsapp.points.adjusting import AdjustmentWish
from opsapp.points.errors import (
    AdjustmentDecided,
    NotEnoughPoints,
    NothingToRestore,
    NotYourAdjustment,
    OwnAdjustment,
    PointsReservedOtherwise,
    TooManyPoints,
    TooManyPointsToday,
)
from opsapp.points.models import PointLot
from tests.points.conftest import ALICE, BOB, BY, Purse, count_entries, pass_days, violations


def ask(purse: Purse, points: int, *, request: str = "form-0001", by=ALICE) -> int:
    wish = AdjustmentWish(request, purse.customer_id, points, "배송이 늦어 사과드림")
    with transaction():
        return adjusting.request(wish, by=by)


def approve(adjustment_id: int, by=BOB) -> None:
    with transaction():
        adjusting.approve(adjustment_id, by=by)


def restore(reservation: int, points: int, request: str = "refund-01") -> int:
    with transaction():
        return restoring.restore(reservation, points, request_id=request, because="반품", by=BY)


def lots(purse: Purse) -> list[tuple[int, int]]:
    """What was granted and what is left of it."""
    with transaction():
        own = select(PointLot.granted, PointLot.remaining)
        wanted = own.where(PointLot.customer_id == purse.customer_id).order_by(PointLot.id)
        return [(row.granted, row.remaining) for row in db.session.execute(wanted)]


def booked(purse: Purse) -> list[tuple[str, str, int]]:
    with transaction():
        ids = [row.id for row in queries.list_entries(purse.customer_id, limit=100)]
        rows = select(LedgerTransfer).where(LedgerTransfer.subject_id.in_(ids))
        found = db.session.scalars(rows.order_by(LedgerTransfer.id)).all()
        return [(row.debit_account, row.credit_account, row.amount_minor) for row in found]


def test_points_that_expire_first_are_spent_first_and_those_that_never_do_last(purse):
    mine = purse(0)
    mine.earn(100)
    mine.earn(100, days=60)
    mine.earn(100, days=5)
    mine.reserve(150)
    assert lots(mine) == [(100, 100), (100, 50), (100, 0)]
    assert mine.balance.available == 150
    assert mine.balance.reserved == 150


def test_what_is_paid_is_spent_once_and_cannot_be_taken_back_by_a_void(purse):
    mine = purse(1000)
    reservation = mine.reserve(300)
    assert mine.post(reservation) == {reservation}
    assert mine.post(reservation) == set()
    assert mine.void(reservation) == set()
    assert (mine.balance.available, mine.balance.reserved) == (700, 0)
    assert mine.entries == [("earned", 1000, 0), ("reserved", -300, 300), ("posted", 0, -300)]
    assert booked(mine) == [
        ("points_cost", "points_liability", 1000),
        ("points_liability", "points_reserved", 300),
        ("points_reserved", "sales", 300),
    ]
    assert violations() == []


def test_what_was_not_bought_comes_back_and_the_same_leg_may_try_again(purse):
    mine = purse(1000)
    first = mine.reserve(300)
    assert mine.reserve(300) == first
    with pytest.raises(PointsReservedOtherwise):
        mine.reserve(200)
    assert mine.void(first) == {first}
    assert mine.post(first) == set()
    second = mine.reserve(200)
    assert second != first
    assert (mine.balance.available, mine.balance.reserved) == (800, 200)
    assert violations() == []


def test_many_reservations_of_several_customers_end_together(purse):
    mine, yours = purse(100), purse(100)
    ids = [mine.reserve(30, 1), yours.reserve(30, 2), mine.reserve(20, 3), yours.reserve(70, 4)]
    assert mine.post(*ids[:2]) == set(ids[:2])
    assert mine.void(*ids) == set(ids[2:])
    assert (mine.balance.available, yours.balance.available) == (70, 70)
    assert violations() == []


def test_points_go_back_to_their_lots_and_never_more_than_were_spent(purse):
    mine = purse(0)
    mine.earn(100, days=5)
    mine.earn(100)
    reservation = mine.reserve(150)
    with pytest.raises(NothingToRestore):
        restore(reservation, 10)
    mine.post(reservation)
    entry = restore(reservation, 60)
    assert restore(reservation, 60) == entry
    assert lots(mine) == [(100, 10), (100, 100)], "what expires last is filled first"
    with pytest.raises(NothingToRestore) as refused:
        restore(reservation, 91, "refund-02")
    assert refused.value.values["left"] == 90
    with pytest.raises(Invalid):
        restore(reservation, 50)
    restore(reservation, 90, "refund-02")
    assert lots(mine) == [(100, 100), (100, 100)]
    assert violations() == []


def test_points_that_come_back_after_their_last_day_live_for_thirty_days_more(purse):
    mine = purse(0)
    mine.earn(100, days=5)
    reservation = mine.reserve(80)
    mine.post(reservation)
    pass_days(10)
    restore(reservation, 50)
    balance = mine.balance
    assert balance.available == 50
    [(last_day, points)] = balance.expiring
    with transaction():
        today = clock.seoul_date(clock.now())
    assert (last_day - today, points) == (timedelta(days=30), 50)
    assert violations() == []


def test_expired_points_are_nobodys_before_and_after_the_sweep(purse):
    mine = purse(50)
    mine.earn(100, days=0)
    assert mine.balance.available == 150
    pass_days(1)
    assert mine.balance.available == 50
    with pytest.raises(NotEnoughPoints) as refused:
        mine.reserve(51)
    assert refused.value.values["available"] == 50
    expiring.expire_all()
    expiring.expire_all()
    assert mine.entries[-1] == ("expired", -100, 0)
    assert booked(mine)[-1] == ("points_liability", "points_expired", 100)
    assert len(mine.entries) == 3
    assert violations() == []


def tell() -> int:
    with transaction():
        return expiring.tell_of_expiring()


def test_who_has_points_that_end_within_a_week_is_told_once_for_each_last_day(purse):
    mine = purse(100)
    for points, days in ((1_000, 5), (234, 5), (50, 6), (70, 30)):
        mine.earn(points, days=days)
    assert [tell(), tell()] == [3, 0]
    with transaction():
        rows = db.session.execute(select(Notice.kind, Notice.values).order_by(Notice.id)).all()
    assert [(kind, values["points"]) for kind, values in rows] == [
        ("points_expiring", "1,234"),
        ("points_expiring", "50"),
    ]
    pass_days(25)
    assert tell() == 1
    with transaction():
        assert len(db.session.scalars(select(Notice.id)).all()) == 3


def test_a_request_earns_once_whoever_sends_it_again(purse):
    mine, yours = purse(0), purse(0)
    assert mine.earn(100, request="purchase-1") == mine.earn(100, request="purchase-1")
    with pytest.raises(Invalid):
        mine.earn(200, request="purchase-1")
    with pytest.raises(Invalid):
        yours.earn(100, request="purchase-1")
    assert (mine.balance.available, yours.balance.available) == (100, 0)


def test_a_second_person_decides_and_only_once(purse):
    mine = purse(100)
    wanted = ask(mine, 500)
    assert ask(mine, 500) == wanted
    assert mine.balance.available == 100
    with pytest.raises(OwnAdjustment):
        approve(wanted, by=ALICE)
    approve(wanted)
    with pytest.raises(AdjustmentDecided):
        approve(wanted)
    assert mine.balance.available == 600
    taken = ask(mine, -600, request="form-0002")
    approve(taken)
    assert mine.balance.available == 0
    assert booked(mine)[-1] == ("points_liability", "points_cost", 600)
    assert violations() == []


def test_the_database_itself_refuses_one_person_in_both_parts(purse, owner):
    wanted = ask(purse(100), 500)
    with pytest.raises(Exception, match="two_people"):
        owner.execute(
            "UPDATE point_adjustments SET status = 'approved', decided_by = requested_by "
            "WHERE id = %s",
            [wanted],
        )


def test_what_was_spent_meanwhile_cannot_be_taken_away(purse):
    mine = purse(100)
    wanted = ask(mine, -100)
    mine.reserve(60)
    with pytest.raises(NotEnoughPoints):
        approve(wanted)
    with transaction():
        assert queries.get_adjustment(wanted).status == "requested"
        adjusting.refuse(wanted, because="이미 사용함", by=BOB)
    with pytest.raises(AdjustmentDecided):
        approve(wanted)
    assert (mine.balance.available, mine.balance.reserved) == (40, 60)


def test_only_whoever_asked_may_withdraw(purse):
    wanted = ask(purse(0), 100)
    with pytest.raises(NotYourAdjustment), transaction():
        adjusting.withdraw(wanted, by=BOB)
    with transaction():
        adjusting.withdraw(wanted, by=ALICE)
    with pytest.raises(AdjustmentDecided):
        approve(wanted)
    assert violations() == []


@pytest.mark.parametrize("points", [0, -5, rules.POINTS_MAX + 1, True])
def test_an_amount_out_of_bounds_moves_nothing(purse, points):
    mine = purse(0)
    with pytest.raises(Invalid):
        mine.earn(points)
    with pytest.raises(Invalid):
        mine.reserve(points)
    assert count_entries() == 0


def test_a_day_and_a_balance_have_an_end(purse):
    mine = purse(rules.POINTS_MAX)
    mine.earn(rules.POINTS_MAX)
    with pytest.raises(TooManyPointsToday):
        mine.earn(1)
    for _day in range(4):
        pass_days(1)
        mine.earn(rules.POINTS_MAX)
        mine.earn(rules.POINTS_MAX)
    pass_days(1)
    with pytest.raises(TooManyPoints):
        mine.earn(1)
    yours = purse(0)
    ask(yours, rules.ADJUSTED_MAX)
    ask(yours, rules.ADJUSTED_MAX, request="form-0002")
    with pytest.raises(TooManyPointsToday):
        ask(yours, 1, request="form-0003")
