"""What the world does must be what the workers do."""

from opsapp.approvals import expiring as approvals_expiring
from opsapp.audit import sealing
from opsapp.checkout import ending as checkout_ending
from opsapp.customers import signing_in
from opsapp.exports import expiring as exports_expiring
from opsapp.kernel import jobs, timetable
from opsapp.orders import releasing
from opsapp.payments import comparing
from opsapp.points import expiring as points_expiring
from opsapp.programs import answering
from opsapp.simulation import world
from opsapp.simulation.luck import Luck
from workers import jobs as worker_jobs, scheduler
from workers.runtime import JOBS
from workers.schedule import TIMETABLE

# Done by the world in its own way, or about what the world does not have.
ELSEWHERE = {
    approvals_expiring.expire,
    exports_expiring.expire,
    checkout_ending.expire,
    releasing.release_due,
    comparing.order_looks,
    points_expiring.expire_all,
    points_expiring.tell_all,
    sealing.anchor,
    jobs.purge_history,
    timetable.purge_slots,
    signing_in.answer_waiting,
    signing_in.purge,
    answering.purge,
}
WITHOUT = {
    "customers.answer_sign_ins",
    "bulk.run",
    "exports.write",
    "cash_receipts.execute_receipts",
    "payments.look_into_latest",
    "shop_events.deliver_events",
}


def test_the_world_knows_every_job_of_the_workers():
    assert worker_jobs.__all__  # importing them fills the table
    assert world.TURNS.keys() == JOBS.keys() - WITHOUT


def test_the_world_keeps_the_timetable_of_the_scheduler():
    kept = {entry.step or entry.procedure for entry in TIMETABLE} - ELSEWHERE
    assert kept <= {*world.TIMETABLE}


def test_the_world_sweeps_what_the_scheduler_sweeps():
    swept = {sweep.__name__ for sweep in world.SWEEPS.values()}
    assert {sweep.__name__ for sweep in scheduler._SWEEPS} <= swept


def test_luck_is_even_and_hangs_on_the_name_alone():
    luck = Luck(1)
    draws = [luck.draw("card", number) for number in range(2_000)]
    assert draws[7] == Luck(1).draw("card", 7) != Luck(2).draw("card", 7)
    assert all(0 <= draw < 1 for draw in draws)
    assert 900 < sum(draw < 0.5 for draw in draws) < 1_100
