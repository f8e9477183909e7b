"""Every decision about an uncertain charge, over all combinations."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.kernel.money import Money
from opsapp.payments import rules
from opsapp.payments.rules import Ask, Question
from opsapp.payments.states import ATTEMPT, REFUND, AttemptStatus as A, RefundStatus as R

PRICE = Money(9900, "KRW")
NOW = datetime(2026, 11, 22, tzinfo=UTC)

questions = st.builds(
    Question,
    ask=st.sampled_from([Ask.SEND, Ask.INQUIRE]),
    previous=st.sampled_from([A.READY, A.UNKNOWN, A.INFLIGHT, A.WAITING]),
    is_resend=st.booleans(),
    may_replay=st.booleans(),
    expected=st.just(PRICE),
    turns=st.integers(1, rules.TURNS_MAX + 3),
)
answers = st.builds(
    Answer,
    outcome=st.sampled_from(Outcome),
    because=st.just("said so"),
    amount=st.sampled_from([PRICE, Money(1, "KRW"), Money(9900, "USD")]),
    refunded=st.sampled_from([None, Money(0, "KRW"), Money(5, "KRW")]),
    code=st.just("CODE"),
    failure_class=st.sampled_from([c.value for c in FailureClass]),
)


@given(answers, questions)
def test_every_verdict_is_a_move_that_the_machine_allows(answer, question):
    assert ATTEMPT.allows(A.INFLIGHT, rules.judge(answer, question).status)


@given(answers, questions)
def test_only_the_exact_amount_that_is_still_there_succeeds(answer, question):
    verdict = rules.judge(answer, question)
    whole = answer.outcome is Outcome.APPROVED and answer.amount == PRICE
    untouched = not (answer.refunded and answer.refunded.minor)
    assert (verdict.status is A.SUCCEEDED) == (whole and untouched)


@given(answers, questions)
def test_only_a_definite_refusal_of_this_very_request_declines(answer, question):
    if rules.judge(answer, question).status is A.DECLINED:
        assert answer.outcome in (Outcome.DECLINED, Outcome.MISCONFIGURED)
        if question.ask is Ask.SEND and question.is_resend:
            assert question.may_replay
            assert answer.failure_class in rules.CUSTOMER_CLASSES


@given(answers, questions)
def test_an_attempt_is_sent_again_only_if_nothing_left_or_the_key_still_counts(answer, question):
    verdict = rules.judge(answer, question)
    if verdict.status is A.READY:
        never_left = answer.outcome is Outcome.NOT_SENT and not question.is_resend
        is_undecided = answer.outcome in (Outcome.NOT_FOUND, Outcome.IN_PROGRESS)
        assert never_left or (is_undecided and question.may_replay)


@given(answers, questions)
def test_a_turn_is_taken_back_only_if_nothing_reached_the_gateway(answer, question):
    if rules.judge(answer, question).took_no_turn:
        assert answer.outcome is Outcome.NOT_SENT


@given(answers, questions, st.sampled_from([Money(0, "KRW"), Money(5, "KRW")]))
def test_every_refund_verdict_is_allowed_and_refuses_only_what_is_definite(
    answer, question, before
):
    verdict = rules.judge_refund(answer, question, refunded_before=before)
    assert REFUND.allows(R.INFLIGHT, verdict.status)
    if verdict.status is R.REFUSED and question.ask is Ask.SEND:
        assert not question.is_resend
        assert answer.outcome in (Outcome.DECLINED, Outcome.MISCONFIGURED)


@pytest.mark.parametrize(
    ("status", "first_sent_at", "may_replay", "turns", "ask"),
    [
        (A.READY, None, True, 0, Ask.SEND),
        (A.READY, None, False, 0, Ask.SEND),
        (A.READY, NOW, True, 3, Ask.SEND),
        (A.READY, NOW, False, 3, Ask.INQUIRE),
        (A.UNKNOWN, NOW, True, 1, Ask.INQUIRE),
        (A.INFLIGHT, NOW, True, 1, Ask.INQUIRE),
        (A.WAITING, NOW, True, 3, Ask.INQUIRE),
        (A.WAITING, NOW, True, rules.TURNS_MAX, Ask.STAFF),
        (A.UNKNOWN, NOW, True, rules.TURNS_MAX, Ask.STAFF),
    ],
)
def test_what_may_be_out_already_is_inquired(status, first_sent_at, may_replay, turns, ask):
    asked = rules.next_ask(status, turns=turns, first_sent_at=first_sent_at, may_replay=may_replay)
    assert asked is ask


def test_a_key_is_replayed_within_its_window_only():
    window = timedelta(days=14)
    assert rules.may_replay(None, NOW, window)
    assert rules.may_replay(NOW - timedelta(days=13), NOW, window)
    assert not rules.may_replay(NOW - timedelta(days=14), NOW, window)
    assert not rules.may_replay(NOW, NOW, None)


@given(st.integers(1, 40))
def test_looks_never_come_closer_together(turns):
    assert rules.look_after(turns) <= rules.look_after(turns + 1)
