"""Whatever happens to points, and in whichever order: none appears and none is lost."""

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from opsapp.kernel.db import transaction
from opsapp.points import adjusting, expiring, queries, restoring
from opsapp.points.adjusting import AdjustmentWish
from opsapp.points.errors import NotEnoughPoints, NothingToRestore
from tests.points.conftest import ALICE, BOB, BY, Purse, pass_days, violations

AMOUNTS = st.integers(1, 400)


class Points(RuleBasedStateMachine):
    """One customer: what was granted is available, set aside, spent or expired."""

    reserved = Bundle("reserved")
    posted = Bundle("posted")

    @initialize()
    def begin(self) -> None:
        self.purse = Purse()
        self.granted = self.held = self.spent = self.number = 0

    @rule(points=AMOUNTS, days=st.sampled_from([None, 0, 3, 40]))
    def earn(self, points: int, days: int | None) -> None:
        self.purse.earn(points, days=days)
        self.granted += points

    @rule(target=reserved, points=AMOUNTS)
    def reserve(self, points: int):
        available = self.purse.balance.available
        self.number += 1
        try:
            reservation = self.purse.reserve(points, self.purse.customer_id * 1000 + self.number)
        except NotEnoughPoints:
            assert points > available
            return multiple()
        assert points <= available
        self.held += points
        return (reservation, points)

    @rule(target=posted, one=consumes(reserved))
    def post(self, one):
        assert self.purse.post(one[0]) == {one[0]}
        self.held -= one[1]
        self.spent += one[1]
        return one

    @rule(one=consumes(reserved))
    def void(self, one) -> None:
        assert self.purse.void(one[0]) == {one[0]}
        assert self.purse.post(one[0]) == set()
        self.held -= one[1]

    @rule(one=posted, points=AMOUNTS)
    def restore(self, one, points: int) -> None:
        self.number += 1
        request = f"restored-{self.purse.customer_id}-{self.number}"
        try:
            with transaction():
                restoring.restore(one[0], points, request_id=request, because="반품", by=BY)
        except NothingToRestore as refused:
            is_right = points > refused.values["left"]
        else:
            is_right, self.spent = True, self.spent - points
        assert is_right

    @rule(points=AMOUNTS, sign=st.sampled_from([1, -1]))
    def adjust(self, points: int, sign: int) -> None:
        self.number += 1
        request = f"form-{self.purse.customer_id}-{self.number}"
        wish = AdjustmentWish(request, self.purse.customer_id, sign * points, "고객 문의로 정정")
        try:
            with transaction():
                adjustment = adjusting.request(wish, by=ALICE)
                adjusting.approve(adjustment, by=BOB)
        except NotEnoughPoints:
            assert sign < 0
            return
        self.granted += sign * points

    @rule(days=st.sampled_from([1, 4, 45]), swept=st.booleans())
    def let_days_pass(self, days: int, swept: bool) -> None:
        pass_days(days)
        if swept:
            expiring.expire_all()

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "purse"):
            return
        with transaction():
            rows = queries.list_entries(self.purse.customer_id, limit=1000)
            expired = -sum(row.change for row in rows if row.kind == "expired")
            available = rows[0].available_after if rows else 0
            told = queries.find_balance(self.purse.customer_id)
        assert available + self.held + self.spent + expired == self.granted
        assert available >= told.available >= 0
        assert told.reserved == self.held

    def teardown(self) -> None:
        assert violations() == []


def test_in_any_order_no_point_appears_and_none_is_lost(app) -> None:
    run_state_machine_as_test(
        Points,
        settings=settings(
            max_examples=10,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
