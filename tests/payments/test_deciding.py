import threading
from dataclasses import replace

import pytest
from psycopg import sql
from sqlalchemy import func, select

from opsapp.gateways.values import Answer, Outcome
from opsapp.insights import showing_uncertain
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.ledger.models import LedgerTransfer
from opsapp.payments import charging, deciding, refunding
from opsapp.payments.deciding import Decided, allowed_of_attempt, allowed_of_refund
from opsapp.payments.errors import (
    AgainstTheFacts,
    BeingAsked,
    EvidenceChanged,
    NeedsDecision,
    NotUncertain,
)
from opsapp.payments.models import Attempt, Decision, Refund
from opsapp.tickets.models import Ticket
from opsapp.tickets.opening import NewTicket, open_tickets
from tests.factories import payments as make
from tests.waiting import join

BY = Actor("staff", "7")
WORKER = Actor("worker", "test")


def won(minor):
    return Money(minor, "KRW")


@pytest.fixture
def stuck(app, gateway, owner):
    """An attempt whose answer was lost before the gateway had heard of it, and no looks left."""
    return make_stuck(gateway, owner, lost_before=1.0)


@pytest.fixture
def stuck_though_charged(app, gateway, owner):
    return make_stuck(gateway, owner, lost_after=1.0)


def make_stuck(gateway, owner, **fault):
    [payment_id] = make.make_payments()
    [attempt_id] = make.attempt_ids([payment_id])
    gateway.faults(**fault)
    charging.execute_attempts([attempt_id], by=WORKER)
    gateway.clear()
    hand_over(owner, "attempts")
    charging.execute_attempts([attempt_id], by=WORKER)
    assert make.statuses(Attempt) == ["needs_human"]
    return attempt_id


NO_LOOKS_LEFT = "SET turns = 99, leased_until = NULL, due_at = ops_now()"


def hand_over(owner, table):
    owner.execute(sql.SQL("UPDATE {} " + NO_LOOKS_LEFT).format(sql.Identifier(table)))


def decided(subject_id, outcome, *, kind="attempt", **changes):
    picture = deciding.look(kind, subject_id)
    fields = {
        "request_id": new_ref("form"),
        "subject_type": kind,
        "subject_id": subject_id,
        "outcome": outcome,
        "reason": "게이트웨이 관리자 화면에서 확인",
        "evidence": "문의 번호 20261122-17",
        "seen": picture.fingerprint,
        "gateway_key": "" if picture.gateway_key else "tgen_decided_0001",
    }
    return Decided(**(fields | changes))


def decide(wish, by=BY):
    return deciding.decide_after_look(wish, by=by)


def all_of(model, column):
    with transaction():
        return list(db.session.scalars(select(column).select_from(model).order_by(model.id)))


def test_what_the_gateway_knows_as_approved_is_booked_as_a_charge_is(stuck_though_charged):
    picture = deciding.look("attempt", stuck_though_charged)
    assert (picture.outcome, picture.allowed) == ("approved", ("approved", "ask_again"))
    decide(decided(stuck_though_charged, "approved"))
    assert make.statuses(Attempt) == ["succeeded"]
    [payment_id] = all_of(Attempt, Attempt.payment_id)
    paid = make.payment(payment_id)
    assert (paid.status, paid.captured_minor) == ("paid", 9900)
    assert all_of(LedgerTransfer, LedgerTransfer.kind) == ["charge"]
    assert all_of(Ticket, Ticket.status) == ["resolved"]
    assert all_of(Decision, Decision.decided_by) == ["staff:7"]


def test_what_the_gateway_does_not_know_may_be_found_not_charged(stuck):
    decide(decided(stuck, "not_charged"))
    assert make.statuses(Attempt) == ["declined"]
    [payment_id] = all_of(Attempt, Attempt.payment_id)
    failed = make.payment(payment_id)
    assert (failed.status, failed.failure_class) == ("failed", "gateway_error")
    assert all_of(LedgerTransfer, LedgerTransfer.kind) == []


def test_a_decision_never_contradicts_what_the_gateway_confirms(stuck_though_charged):
    with pytest.raises(AgainstTheFacts):
        decide(decided(stuck_though_charged, "not_charged"))
    assert make.statuses(Attempt) == ["needs_human"]
    assert all_of(Decision, Decision.id) == []


def test_asking_again_begins_the_looks_anew_and_the_machine_settles_it(stuck_though_charged):
    decide(decided(stuck_though_charged, "ask_again"))
    assert make.statuses(Attempt) == ["unknown"]
    charging.execute_attempts([stuck_though_charged], by=WORKER)
    assert make.statuses(Attempt) == ["succeeded"]


def test_evidence_that_changed_since_the_screen_showed_it_is_refused(stuck, owner):
    wish = decided(stuck, "not_charged")
    owner.execute("UPDATE attempts SET failure_code = 'SOMETHING_NEW'")
    with pytest.raises(EvidenceChanged):
        decide(wish)
    with pytest.raises(EvidenceChanged):
        decide(replace(decided(stuck, "not_charged"), seen="0" * 64))


def test_the_same_form_decides_once(stuck):
    wish = decided(stuck, "not_charged")
    picture = deciding.look("attempt", stuck)
    first = decide(wish)
    with transaction():
        assert deciding.decide(wish, picture, by=BY) == first
    with pytest.raises(Invalid), transaction():
        deciding.decide(replace(wish, outcome="approved"), picture, by=BY)
    assert len(all_of(Decision, Decision.id)) == 1


def test_two_people_who_decide_at_once_do_it_once(app, stuck):
    wishes = [decided(stuck, "not_charged"), decided(stuck, "approved")]
    outcomes = []

    def person(wish):
        with app.app_context():
            try:
                outcomes.append(decide(wish))
            except OpsError as refused:
                outcomes.append(refused)
            db.session.remove()

    people = [threading.Thread(daemon=True, target=person, args=[wish]) for wish in wishes]
    for each in people:
        each.start()
    join(*people)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(o, (NotUncertain, EvidenceChanged)) for o in outcomes) == 1
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(Decision)) == 1


@pytest.mark.parametrize(
    "changes", [{"evidence": " "}, {"reason": ""}, {"outcome": "maybe"}, {"request_id": "x"}]
)
def test_a_decision_without_evidence_or_reason_is_refused(stuck, changes):
    with pytest.raises(Invalid):
        decide(replace(decided(stuck, "not_charged"), **changes))
    assert make.statuses(Attempt) == ["needs_human"]


def test_an_approval_needs_the_gateways_own_key(stuck):
    with pytest.raises(Invalid) as refused:
        decide(decided(stuck, "approved", gateway_key=""))
    assert refused.value.field == "gateway_key"
    decide(decided(stuck, "approved"))
    assert make.statuses(Attempt) == ["succeeded"]


def test_only_what_was_handed_to_people_can_be_decided(app, gateway):
    [payment_id] = make.make_payments()
    [attempt_id] = make.attempt_ids([payment_id])
    gateway.faults(lost_after=1.0)
    charging.execute_attempts([attempt_id], by=WORKER)
    gateway.clear()
    with pytest.raises(NotUncertain):
        decide(decided(attempt_id, "approved"))


@pytest.fixture
def paid(app, gateway):
    [payment_id] = make.make_payments()
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    return payment_id


def stuck_refund(payment_id, gateway, owner, **fault):
    wish = refunding.RefundWish(new_ref("form"), won(3000), 9900, "고객 요청")
    with transaction():
        refund_id = refunding.request_refund(payment_id, wish, by=BY)
    gateway.faults(**fault)
    refunding.execute_refunds([refund_id], by=WORKER)
    gateway.clear()
    hand_over(owner, "refunds")
    refunding.execute_refunds([refund_id], by=WORKER)
    assert make.statuses(Refund) == ["needs_human"]
    return refund_id


def test_a_refund_that_reached_the_gateway_can_only_be_found_given_back(paid, gateway, owner):
    refund_id = stuck_refund(paid, gateway, owner, lost_after=1.0)
    with pytest.raises(AgainstTheFacts):
        decide(decided(refund_id, "not_charged", kind="refund"))
    decide(decided(refund_id, "approved", kind="refund"))
    after = make.payment(paid)
    assert (after.status, after.refunded_minor, after.refund_pending_minor) == (
        "partly_refunded", 3000, 0,
    )  # fmt: skip


def test_a_refund_that_never_reached_the_gateway_can_only_be_found_refused(paid, gateway, owner):
    refund_id = stuck_refund(paid, gateway, owner, lost_before=1.0)
    with pytest.raises(AgainstTheFacts):
        decide(decided(refund_id, "approved", kind="refund"))
    decide(decided(refund_id, "not_charged", kind="refund"))
    assert make.statuses(Refund) == ["refused"]
    assert make.payment(paid).refundable.minor == 9900


def test_before_a_refund_what_is_uncertain_is_asked_at_once(app, gateway, owner):
    [payment_id] = make.make_payments()
    [attempt_id] = make.attempt_ids([payment_id])
    gateway.faults(lost_after=1.0)
    charging.execute_attempts([attempt_id], by=WORKER)
    gateway.clear()
    owner.execute("UPDATE attempts SET due_at = ops_now() + interval '1 day'")
    wish = refunding.RefundWish(new_ref("form"), won(100), 9900, "고객 요청")
    with pytest.raises(BeingAsked):
        refunding.request_refund_or_look(payment_id, wish, by=BY)
    charging.execute_attempts([attempt_id], by=WORKER)
    assert make.payment(payment_id).status == "paid"
    assert refunding.request_refund_or_look(payment_id, wish, by=BY)


def test_a_payment_that_a_person_must_decide_is_not_refunded_before(stuck):
    [payment_id] = all_of(Attempt, Attempt.payment_id)
    wish = refunding.RefundWish(new_ref("form"), won(100), 9900, "고객 요청")
    with pytest.raises(NeedsDecision):
        refunding.request_refund_or_look(payment_id, wish, by=BY)


def test_the_desk_holds_what_is_uncertain_and_when_it_is_looked_at_next(app, gateway):
    [payment_id] = make.make_payments()
    gateway.faults(lost_after=1.0)
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    gateway.clear()
    with transaction():
        page = showing_uncertain.list_desk(showing_uncertain.DeskWish(), cursor=None)
        [row] = page.rows
        desk = showing_uncertain.get_subject("attempt", row.id)
        counts = showing_uncertain.count_desk()
        assert showing_uncertain.oldest_uncertain_s() >= 0
    assert (row.kind, row.status) == ("attempt", "unknown")
    assert desk.looks == sorted(desk.looks)
    assert len(desk.looks) == 11
    assert [(c.gateway_name, c.status, c.count) for c in counts] == [("toss", "unknown", 1)]


def test_a_ticket_that_stands_for_it_is_resolved_with_the_decision(stuck):
    [payment_id] = all_of(Attempt, Attempt.payment_id)
    with transaction():
        open_tickets([NewTicket("payment", payment_id, None, "refund_stuck", "other")], by=BY)
    decide(decided(stuck, "not_charged"))
    with transaction():
        rows = db.session.execute(select(Ticket.reason, Ticket.status).order_by(Ticket.id))
        assert dict(rows.all()) == {"uncertain_attempt": "resolved", "refund_stuck": "open"}


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (Answer(Outcome.APPROVED, amount=won(9900)), ("approved", "ask_again")),
        (Answer(Outcome.APPROVED, amount=won(9000)), ("ask_again",)),
        (
            Answer(Outcome.APPROVED, amount=won(9900), refunded=won(9900)),
            ("not_charged", "ask_again"),
        ),
        (Answer(Outcome.APPROVED, amount=won(9900), refunded=won(1)), ("ask_again",)),
        (Answer(Outcome.DECLINED, code="X"), ("not_charged", "ask_again")),
        (Answer(Outcome.PENDING), ("ask_again",)),
        (Answer(Outcome.NOT_FOUND), deciding.OUTCOMES),
        (Answer(Outcome.UNKNOWN), deciding.OUTCOMES),
    ],
)
def test_which_decisions_an_answer_leaves_open(answer, allowed):
    assert allowed_of_attempt(answer, won(9900)) == allowed


@pytest.mark.parametrize(
    ("refunded", "allowed"),
    [
        (1000, ("not_charged", "ask_again")),
        (2000, ("not_charged", "ask_again")),
        (4000, ("approved", "ask_again")),
        (5000, deciding.OUTCOMES),
    ],
)
def test_which_decisions_the_amount_given_back_leaves_open(refunded, allowed):
    answer = Answer(Outcome.APPROVED, refunded=won(refunded))
    assert allowed_of_refund(answer, before=won(1000), wished=won(3000)) == allowed
