"""Whole series: renewals that fail at the real sandbox, and what the policy makes of them."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import AuditEntry
from opsapp.notifications.models import Notice
from opsapp.recovery import activating, drafting, queries, simulating
from opsapp.recovery.drafting import Draft
from opsapp.recovery.errors import CohortIsNeeded, PolicyIsNotDraft, PolicyWasChanged
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import LAST_WARNING, REMINDER, SHIPPED, Policy, PolicyStep, cohort_of
from opsapp.subscriptions import recovering
from opsapp.subscriptions.cancelling import cancel
from opsapp.subscriptions.errors import CannotRecover
from opsapp.subscriptions.switching import switch_method
from opsapp.tickets.models import Ticket
from tests.factories.payments import BY, make_method
from tests.factories.recoveries import NO_FUNDS, STOPPED, WRONG_KEY, column, work
from tests.factories.subscriptions import make_subscription, pass_time, renew, subscription

pytestmark = pytest.mark.usefixtures("noon")

STAFF = Actor("staff", "7")
BECAUSE = "tried on last month's failures"


def recovery(subscription_id: int) -> Recovery:
    with transaction():
        wanted = select(Recovery).where(Recovery.subscription_id == subscription_id)
        found = db.session.scalars(wanted).one()
        db.session.expunge(found)
        return found


def failed(gateway, faults: dict = NO_FUNDS, count: int = 1) -> list[int]:
    """Subscriptions whose first renewal has just failed so."""
    ids = [make_subscription() for _ in range(count)]
    gateway.faults(**faults)
    renew()
    work()
    return ids


def turn_on(policy: Policy, *, cohort: str = "A", share: int = 50) -> int:
    with transaction():
        wish = Draft("시험", cohort, share, policy, BECAUSE)
        policy_id = drafting.save_draft(wish, by=STAFF)
        seen = {row.cohort: row.version for row in queries.list_in_force()}.get(cohort, 0)
        activating.activate(policy_id, seen_version=seen, because=BECAUSE, by=STAFF)
    return policy_id


def test_a_recovery_follows_its_payment_from_the_first_failure_to_the_money(gateway):
    [id_] = failed(gateway)
    first = recovery(id_)
    assert (first.status, first.failures, first.reason) == ("scheduled", 1, "funds")
    assert first.next_at - first.last_failed_at == timedelta(days=1)
    assert first.warned_at is None
    pass_time(timedelta(days=1, minutes=1))
    work()
    second = recovery(id_)
    assert (second.status, second.failures, second.tries) == ("scheduled", 2, 2)
    assert second.warned_at is not None
    assert column(Notice, "kind") == ["payment_failed", LAST_WARNING]
    gateway.clear()
    pass_time(timedelta(days=3, minutes=1))
    work()
    paid = recovery(id_)
    assert (paid.status, paid.recovered_minor) == ("recovered", paid.amount_minor)
    assert (paid.next_at, paid.closed_at is not None) == (None, True)


def test_a_series_that_fails_to_the_end_is_exhausted_and_a_new_method_recovers_it(gateway):
    [id_] = failed(gateway)
    for days in (1, 3):
        pass_time(timedelta(days=days, minutes=1))
        work()
    assert (recovery(id_).status, subscription(id_).status) == ("exhausted", "suspended")
    gateway.clear()
    method_id = make_method(subscription(id_).customer_id)
    with transaction():
        switch_method(id_, payment_method_id=method_id, by=BY)
    work()
    assert (recovery(id_).status, subscription(id_).status) == ("recovered", "active")


def test_a_cancelled_subscription_leaves_nothing_to_recover(gateway):
    [id_] = failed(gateway)
    with transaction():
        cancel(id_, by=BY)
    assert (recovery(id_).status, recovery(id_).next_at) == ("ended", None)
    row_id = recovery(id_).id
    with pytest.raises(CannotRecover, match="has ended"), transaction():
        recovering.retry_now(row_id, by=STAFF)


def test_a_try_by_staff_neither_counts_nor_shifts_the_plan(gateway):
    [id_] = failed(gateway)
    before = recovery(id_)
    pass_time(timedelta(hours=5))
    with transaction():
        recovering.retry_now(before.id, by=STAFF)
    assert recovery(id_).status == "processing"
    work()
    after = recovery(id_)
    assert (after.status, after.next_at) == ("scheduled", before.next_at)
    assert (after.failures, after.tries, after.staff_tries) == (1, 2, 1)
    assert subscription(id_).failures_in_row == 1
    pass_time(timedelta(hours=20))
    work()
    assert recovery(id_).failures == 2


def test_a_try_by_staff_after_a_suspension_ends_in_it_again(gateway):
    [id_] = failed(gateway)
    for days in (1, 3):
        pass_time(timedelta(days=days, minutes=1))
        work()
    row_id = recovery(id_).id
    with transaction():
        recovering.retry_now(row_id, by=STAFF)
    assert (recovery(id_).status, subscription(id_).status) == ("processing", "active")
    work()
    assert (recovery(id_).status, subscription(id_).status) == ("exhausted", "suspended")
    assert (recovery(id_).failures, recovery(id_).staff_tries) == (3, 1)


def test_staff_put_the_next_try_on_another_day_and_it_counts_by_the_plan(gateway):
    [id_] = failed(gateway)
    row_id = recovery(id_).id
    day = clock.seoul_date(recovery(id_).next_at) + timedelta(days=9)
    with transaction():
        recovering.reschedule(row_id, day=day, by=STAFF)
    assert clock.seoul_date(recovery(id_).next_at) == day
    pass_time(timedelta(days=5))
    work()
    assert recovery(id_).failures == 1
    pass_time(timedelta(days=6))
    work()
    assert (recovery(id_).failures, recovery(id_).staff_tries) == (2, 0)
    with pytest.raises(Invalid), transaction():
        recovering.reschedule(row_id, day=day - timedelta(days=90), by=STAFF)


def test_a_dead_card_is_not_tried_by_staff_but_its_owner_gets_a_link(gateway):
    [id_] = failed(gateway, STOPPED)
    row = recovery(id_)
    assert (row.status, row.next_step, row.next_at) == ("monitoring", "wait_method", None)
    with pytest.raises(CannotRecover, match="expired or is suspended"), transaction():
        recovering.retry_now(row.id, by=STAFF)
    for _ in range(2):
        with transaction():
            recovering.send_update_link(row.id, by=STAFF)
    assert column(Notice, "kind").count("method_expired_update") == 1


def test_a_batch_of_failures_takes_as_many_statements_as_one_failure(gateway, app):
    counts = []
    for size in (1, 7):
        for _ in range(size):
            make_subscription()
        gateway.faults(**NO_FUNDS)
        renew()
        sent: list[str] = []

        def note(_connection, _cursor, statement, *_rest, sent=sent) -> None:
            sent.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        work()
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(sent))
    assert counts[1] <= counts[0], counts


def test_a_running_series_keeps_the_version_it_began_with(gateway):
    [old] = failed(gateway)
    one_step = replace(SHIPPED, steps=(PolicyStep(24, notice=LAST_WARNING),), ticket_at=1)
    policy_id = turn_on(one_step)
    [new] = failed(gateway)
    assert (recovery(old).policy_id, recovery(new).policy_id) == (1, policy_id)
    pass_time(timedelta(days=1, minutes=1))
    work()
    assert [subscription(id_).status for id_ in (old, new)] == ["past_due", "suspended"]


def test_a_cohort_has_its_share_of_the_subscriptions_until_it_ends(gateway):
    policy_id = turn_on(replace(SHIPPED, gateway_tries_max=5), cohort="B", share=30)
    with transaction():
        found = queries.policies_of(range(1, 200))
        for id_, policy in found.items():
            assert policy.cohort == ("B" if cohort_of(id_) < 30 else "A")
        activating.end_cohort(policy_id, because=BECAUSE, by=STAFF)
        assert {policy.cohort for policy in queries.policies_of(range(1, 200)).values()} == {"A"}
    with pytest.raises(CohortIsNeeded), transaction():
        activating.end_cohort(1, because=BECAUSE, by=STAFF)


def test_a_version_is_turned_on_once_and_only_by_who_saw_what_holds():
    with transaction():
        wish = Draft("시험", "A", 100, SHIPPED, BECAUSE)
        policy_id = drafting.save_draft(wish, by=STAFF)
    with pytest.raises(PolicyWasChanged), transaction():
        activating.activate(policy_id, seen_version=0, because=BECAUSE, by=STAFF)
    with transaction():
        activating.activate(policy_id, seen_version=1, because=BECAUSE, by=STAFF)
    with pytest.raises(PolicyIsNotDraft), transaction():
        activating.activate(policy_id, seen_version=2, because=BECAUSE, by=STAFF)
    with transaction():
        assert [row.status for row in queries.list_versions()] == ["active", "retired"]


def test_a_policy_may_end_a_series_with_the_subscription(gateway):
    turn_on(replace(SHIPPED, final_action="cancel"))
    [id_] = failed(gateway)
    for days in (1, 3):
        pass_time(timedelta(days=days, minutes=1))
        work()
    assert (subscription(id_).status, recovery(id_).status) == ("cancelled", "ended")
    assert "subscription_cancelled" in column(Notice, "kind")


CANDIDATE = replace(
    SHIPPED,
    steps=(
        PolicyStep(24, notice=REMINDER),
        PolicyStep(48, notice=LAST_WARNING),
        PolicyStep(72),
    ),
    gateway_wait_minutes=30,
)


def live_through(gateway) -> None:
    """Two that never have money, one that has it at the second try, one dead card, one fault."""
    poor = failed(gateway, NO_FUNDS, 2)
    [late] = failed(gateway, NO_FUNDS)
    failed(gateway, STOPPED)
    [unlucky] = failed(gateway, WRONG_KEY)
    gateway.clear()
    pass_time(timedelta(hours=1, minutes=1))
    work(unlucky)
    for hours in (25, 73, 73):
        pass_time(timedelta(hours=hours))
        gateway.clear()
        work(late)
        gateway.faults(**NO_FUNDS)
        work(*poor)


def told(first_entry: int) -> tuple[Counter, Counter, Counter, int]:
    """Retries by the failure they follow, notices, tickets and suspensions since then."""
    with transaction():
        failure = AuditEntry.detail["failure"].astext.label("failure")
        planned = db.session.execute(
            select(failure, func.count())
            .where(
                AuditEntry.id > first_entry,
                AuditEntry.subject_type == "recovery",
                AuditEntry.detail["next"].astext == "retry",
            )
            .group_by(failure)
        )
        retries = Counter({int(nth): count for nth, count in planned})

        def count(action: str, to_state: str | None = None) -> Counter:
            wanted = select(AuditEntry.because, func.count()).where(
                AuditEntry.id > first_entry, AuditEntry.action == action
            )
            return Counter(dict(db.session.execute(wanted.group_by(AuditEntry.because)).all()))

        ours = (REMINDER, LAST_WARNING, "gateway_trouble_apology")
        notices = {kind: n for kind, n in count("notice.queued").items() if kind in ours}
        ended = count("subscription.suspended").total()
        return retries, Counter(notices), count("ticket.opened"), ended


def last_entry() -> int:
    with transaction():
        return db.session.scalars(select(func.max(AuditEntry.id))).one()


def test_the_simulation_counts_what_the_policy_then_does_on_the_same_failures(gateway):
    live_through(gateway)
    with transaction():
        series, history = simulating.load_series(), simulating.load_history()
        then = simulating.simulate(CANDIDATE, series, history)
        now = simulating.simulate(SHIPPED, series, history)
    assert (now.retries, now.notices, now.tickets, now.ended) == told(0)
    turn_on(CANDIDATE)
    before = last_entry()
    live_through(gateway)
    assert (then.retries, then.notices, then.tickets, then.ended) == told(before)
    assert then.recovered == {"KRW": 2 * 9900}
    assert column(Ticket, "id")
