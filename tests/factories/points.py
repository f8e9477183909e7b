"""Points of a customer, moved in every way that there is."""

from datetime import timedelta

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.points import adjusting, earning, reserving, restoring
from opsapp.points.adjusting import AdjustmentWish

BY = Actor("cli", "test")


def have_points(customer_id: int) -> None:
    """Some are left, some set aside, and one adjustment waits for a second person."""
    with transaction():
        last_day = clock.seoul_date(clock.now()) + timedelta(days=5)
        for number, day in enumerate((None, last_day)):
            earning.earn(
                customer_id,
                3_000,
                request_id=f"points-{customer_id}-{number}",
                because="구매 적립",
                expires_on=day,
                by=BY,
            )
        spent, given_back, _held = (
            reserving.reserve(customer_id, 500, subject_type="order_leg", subject_id=number, by=BY)
            for number in range(3)
        )
        reserving.post_reservations([spent], by=BY)
        reserving.void_reservations([given_back], because="set aside for a purchase", by=BY)
        restoring.restore(spent, 100, request_id="points-back", because="반품", by=BY)
        for number, points in enumerate((1_500, -700)):
            wish = AdjustmentWish(f"points-{number}", customer_id, points, "배송이 늦어 사과드림")
            adjustment_id = adjusting.request(wish, by=Actor("staff", "1"))
        adjusting.approve(adjustment_id, by=Actor("staff", "2"))
