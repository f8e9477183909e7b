"""Ways to lose or double money that were open once; each test keeps its way closed."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from opsapp.customers import deleting
from opsapp.gateways.http import Reply
from opsapp.gateways.registry import connected, gateway_named
from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.money import Money
from opsapp.payments import charging, rules
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.refunding import RefundWish, request_refund
from opsapp.payments.rules import Ask, Question
from opsapp.settings import use
from opsapp.tickets.models import Ticket
from tests.factories import payments as make

BY = Actor("worker", "test")


def take_a_turn(ids):
    charging.execute_attempts(ids, by=BY)


def note_paths(monkeypatch):
    gateway, asked = gateway_named("toss"), []
    send = gateway._ask

    async def noted(method, path, **rest):
        asked.append(path)
        return await send(method, path, **rest)

    monkeypatch.setattr(gateway, "_ask", noted)
    return asked


def answer_inquiries_with(monkeypatch, status, code):
    gateway = gateway_named("toss")
    send = gateway._ask

    async def answered(method, path, **rest):
        if method == "GET":
            return Reply(status, {"code": code, "message": "점검 중입니다."}, {})
        return await send(method, path, **rest)

    monkeypatch.setattr(gateway, "_ask", answered)


def test_an_inquiry_that_is_itself_refused_says_nothing_about_the_charge(app, gateway, monkeypatch):
    [payment_id] = make.make_payments()
    gateway.faults(lost_after=1.0)
    take_a_turn(ids := make.attempt_ids([payment_id]))
    gateway.clear()
    with monkeypatch.context() as maintenance:
        answer_inquiries_with(maintenance, 503, "NOT_AVAILABLE_PAYMENT")
        make.make_everything_due()
        take_a_turn(ids)
    [captured] = gateway.payments(*make.order_ids([payment_id]))
    assert captured["status"] == "DONE"
    assert make.statuses() == ["unknown"], "the money is taken: a decline here charges twice"


def test_a_deleted_card_is_not_charged_and_no_account_is_asked_for_in_its_place(
    app, gateway, monkeypatch
):
    [payment_id] = make.make_payments()
    with transaction():
        deleting.delete(db.session.scalars(select(Attempt.payment_method_id)).one(), by=BY)
    asked = note_paths(monkeypatch)
    take_a_turn(make.attempt_ids([payment_id]))
    assert asked == []
    assert make.statuses(Payment) == ["failed"]


def test_a_waiting_account_whose_gateway_never_answers_ends_with_a_person(app, gateway):
    [payment_id] = make.make_payments(kind="virtual_account")
    take_a_turn(ids := make.attempt_ids([payment_id]))
    assert make.statuses() == ["waiting"]
    gateway.faults(inquiry_failures=1.0)
    for _ in range(20):
        make.make_everything_due()
        take_a_turn(ids)
    with transaction():
        assert db.session.scalars(select(Ticket.reason)).all() == ["uncertain_attempt"]
    assert make.statuses() == ["needs_human"]


def test_looks_at_a_gateway_that_cannot_be_reached_come_further_apart(app, settings):
    [payment_id] = make.make_payments()
    gateway_named("toss")._url = "http://127.0.0.1:9"
    for _ in range(6):
        make.make_everything_due()
        take_a_turn(make.attempt_ids([payment_id]))
    with transaction():
        wait = db.session.scalars(select(Attempt.due_at)).one() - clock.now()
    assert wait > timedelta(seconds=2)


def test_a_call_that_waited_for_its_turn_at_the_rate_limit_is_not_sent_after_its_lease(
    app, gateway, settings
):
    use(settings.model_copy(update={"lease_margin_s": 0.5}))
    payment_ids = make.make_payments(8)
    ids = make.attempt_ids(payment_ids)
    toss = gateway_named("toss")
    toss.rate_per_s_max = 5.0  # five a second; a call may leave up to 0.5 s after its claim
    sent = {}
    send = toss._call

    async def noted(method, path, *, body=None, key="", timeout_s=0):
        sent[key] = time.monotonic()
        return await send(method, path, body=body, key=key, timeout_s=timeout_s)

    toss._call = noted
    with transaction():
        claims = charging._claim(ids, by=BY)

    async def all_at_once():
        async with connected():
            return await asyncio.gather(*[charging._call(claim) for claim in claims])

    asyncio.run(all_at_once())
    late = [
        c for c in claims if sent.get(c.request.idempotency_key, 0) > c.request.call_before + 0.05
    ]
    assert late == []


def test_a_refund_form_of_another_payment_is_not_taken_for_this_one(app, gateway):
    one, other = make.make_payments(2)
    take_a_turn(make.attempt_ids([one, other]))
    wish = RefundWish("form_12345678", Money(100, "KRW"), 9900, "고객 요청")
    with transaction():
        refund_of_one = request_refund(one, wish, by=BY)
    told = None
    with suppress(OpsError), transaction():
        told = request_refund(other, wish, by=BY)
    assert told != refund_of_one, "told that it is refunded, and it is not"


def test_a_repeated_refund_that_is_still_under_way_is_not_called_refused():
    won = Money(3000, "KRW")
    asked = Question(Ask.SEND, "unknown", is_resend=True, may_replay=True, expected=won, turns=2)
    contradiction = Answer(
        Outcome.CONFLICT, code="ALREADY_REFUNDING_PAYMENT", failure_class="state_conflict"
    )
    before = Money(0, "KRW")
    verdict = rules.judge_refund(contradiction, asked, refunded_before=before)
    assert verdict.status == "unknown"
    looked = replace(asked, ask=Ask.INQUIRE, turns=3)
    not_yet = Answer(Outcome.APPROVED, amount=Money(9900, "KRW"), refunded=before)
    assert rules.judge_refund(not_yet, looked, refunded_before=before).status != "refused"
