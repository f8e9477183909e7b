"""What a policy says about a failure: values in, decision out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from opsapp.failures.models import CLASSES
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.errors import Invalid
from opsapp.payments.rules import CUSTOMER_CLASSES
from opsapp.recovery import checking, rules
from opsapp.recovery.rules import (
    LAST_WARNING,
    REMINDER,
    SHIPPED,
    Failed,
    Next,
    PolicyStep,
    Reason,
)

NOW = datetime(2026, 3, 10, 3, tzinfo=UTC)
DECLINED = ("authentication_failure", Reason.FUNDS, "later")
FAULT = ("gateway_error", Reason.GATEWAY, "later")


def decide(what=DECLINED, policy=SHIPPED, **known):
    return rules.decide(policy, Failed(NOW, *what, **known))


def test_a_customers_failure_is_tried_after_one_day_then_after_three():
    first, second = decide(), decide(failures=1)
    assert (first.next, first.next_at) == (Next.RETRY, NOW + timedelta(days=1))
    assert (second.next, second.next_at) == (Next.RETRY, NOW + timedelta(days=3))


def test_the_second_failure_opens_a_ticket_and_warns_and_the_third_is_the_last():
    decisions = [decide(failures=n) for n in range(3)]
    assert [d.ticket for d in decisions] == [None, "repeated_failure", None]
    assert [d.notice for d in decisions] == ["", LAST_WARNING, ""]
    assert [d.warns for d in decisions] == [False, True, False]
    assert decisions[2].next is Next.FINAL


@pytest.mark.parametrize("failure_class", ["gateway_error", "configuration_error"])
def test_what_is_not_the_customers_fault_does_not_count(failure_class):
    after = decide((failure_class, Reason.GATEWAY, "operator"), failures=2)
    assert (after.next, after.failures, after.gateway_tries) == (Next.GATEWAY_RETRY, 2, 1)
    assert after.next_at == NOW + timedelta(hours=1)


def test_customers_are_told_of_a_gateways_trouble_once():
    notices = [decide(FAULT, gateway_tries=n).notice for n in range(3)]
    assert notices == [rules.APOLOGY, "", ""]


def test_a_gateway_that_never_recovers_ends_with_a_person():
    last = decide(FAULT, gateway_tries=SHIPPED.gateway_tries_max - 1)
    assert (last.next, last.ticket) == (Next.WAIT_PERSON, "gateway_keeps_failing")


@pytest.mark.parametrize("mode", ["none", "after_fix"])
def test_what_cannot_work_is_not_tried_again(mode):
    after = decide(("expired_or_suspended", Reason.EXPIRED, mode))
    assert (after.next, after.ticket) == (Next.WAIT_METHOD, "method_unusable")
    assert after.method_is_dead == (mode == "none")


def test_a_reason_that_the_policy_calls_hopeless_waits_for_another_method():
    policy = replace(SHIPPED, hard_reasons=("fraud",))
    fraud = ("fraud_suspected", Reason.FRAUD, "later")
    assert decide(fraud, policy).next is Next.WAIT_METHOD
    assert decide(fraud).next is Next.RETRY


def test_a_deposit_that_never_came_counts_like_a_decline():
    after = decide((None, Reason.UNPAID, None))
    assert (after.next, after.failures) == (Next.RETRY, 1)


def test_a_card_that_used_up_its_declines_is_left_alone():
    after = decide(card_tries=SHIPPED.card_budget)
    assert (after.next, after.ticket) == (Next.WAIT_BUDGET, "card_budget_used")
    assert decide(card_tries=SHIPPED.card_budget - 1).next is Next.RETRY


@given(st.integers(0, 2), st.integers(0, 30), st.one_of(st.none(), st.integers(-5, 5)))
def test_a_try_by_staff_leaves_the_count_and_the_plan_as_they_were(failures, tries, days):
    due_at = None if days is None else NOW + timedelta(days=days)
    known = {"failures": failures, "card_tries": tries, "due_at": due_at, "is_by_staff": True}
    after = decide(**known)
    assert (after.failures, after.ticket, after.notice) == (failures, None, "")
    assert after.next_at == (None if due_at is None else max(due_at, NOW))
    fault = decide(FAULT, **known, gateway_tries=3)
    assert (fault.failures, fault.gateway_tries) == (failures, 3)


def test_a_try_by_staff_after_the_last_step_ends_where_the_policy_had_ended():
    assert decide(is_by_staff=True, is_exhausted=True).next is Next.FINAL


def test_money_is_asked_for_on_the_next_payday_and_other_reasons_do_not_wait_for_it():
    step = PolicyStep(24, at_payday=True)
    policy = replace(SHIPPED, steps=(step, PolicyStep(72)), paydays=(15, 31), payday_reach=7)
    assert decide(policy=policy).next_at == NOW + timedelta(days=5)  # 15 March
    assert decide(("authentication_failure", Reason.AUTHENTICATION, "later"), policy).next_at == (
        NOW + timedelta(days=1)
    )
    far = replace(policy, payday_reach=2)
    assert decide(policy=far).next_at == NOW + timedelta(days=1)
    in_february = Failed(datetime(2027, 2, 24, 3, tzinfo=UTC), *DECLINED)
    assert rules.decide(policy, in_february).next_at == datetime(2027, 2, 28, 3, tzinfo=UTC)


@given(st.integers(0, 23), st.integers(0, 23), st.integers(0, 47))
def test_no_try_and_no_message_falls_into_the_hours_that_are_closed(begin, end, offset):
    at = NOW + timedelta(hours=offset, minutes=17)
    policy = replace(
        SHIPPED, closed_from=begin, closed_until=end, quiet_from=begin, quiet_until=end
    )
    told = rules.tell_at(policy, at)
    tried = rules.retry_at(policy, 1, Reason.FUNDS, at)
    for moment, wished in ((told, at), (tried, at + timedelta(days=1))):
        hour = moment.astimezone(SEOUL).hour
        closed = range(begin, end) if begin <= end else [*range(begin, 24), *range(end)]
        assert hour not in closed
        assert timedelta(0) <= moment - wished < timedelta(days=1)


def test_cohorts_are_stable_and_even():
    places = [rules.cohort_of(n) for n in range(10_000)]
    assert places == [rules.cohort_of(n) for n in range(10_000)]
    assert 2_700 < sum(place < 30 for place in places) < 3_300


def test_a_policy_survives_being_written_down():
    step = PolicyStep(24, waits=(("funds", 48),), at_payday=True, notice=REMINDER)
    policy = replace(SHIPPED, steps=(step, PolicyStep(72)), paydays=(25,), hard_reasons=("fraud",))
    assert checking.read_policy(checking.as_json(policy)) == policy
    checking.check(policy)


STEPS = SHIPPED.steps
CONTRADICTIONS = {
    "steps": [
        {"steps": ()},
        {"steps": (PolicyStep(24),) * 4},
        {"steps": (PolicyStep(72), PolicyStep(24))},
        {"steps": (PolicyStep(24, waits=(("funds", 96),)), PolicyStep(72))},
        {"steps": (PolicyStep(0), PolicyStep(24))},
        {"steps": (PolicyStep(720), PolicyStep(1000))},
        {"steps": (PolicyStep(24, notice="nonsense"), PolicyStep(72))},
        {"steps": (PolicyStep(24, notice=REMINDER), PolicyStep(72, notice=REMINDER))},
        {"steps": (PolicyStep(24, notice=LAST_WARNING), PolicyStep(72))},
        {
            "steps": (*STEPS, PolicyStep(100, notice=REMINDER)),
        },
        {"steps": (PolicyStep(24, waits=(("nonsense", 24),)), PolicyStep(72))},
    ],
    "ticket_at": [{"ticket_at": 3}, {"ticket_at": 0}],
    "final_action": [{"final_action": "forget"}],
    "hard_reasons": [
        {"hard_reasons": ("nonsense",)},
        {
            "hard_reasons": ("funds",),
            "steps": (PolicyStep(24, waits=(("funds", 48),)), PolicyStep(72)),
        },
    ],
    "paydays": [
        {"paydays": (32,)},
        {"paydays": (10, 10)},
        {"steps": (PolicyStep(24, at_payday=True), PolicyStep(72))},
    ],
    "card_budget": [{"card_budget": 2}, {"card_budget": 31}],
    "apology_at": [{"apology_at": 25}],
    "gateway_wait_minutes": [{"gateway_wait_minutes": 0}],
    "notice_days": [{"notice_days": 0}],
    "notice_lead_hours": [{"notice_lead_hours": 168, "notice_days": 2}],
    "expiring_days": [{"expiring_days": (7, 30)}, {"expiring_days": ()}],
    "closed_until": [{"closed_from": 1, "closed_until": 20}],
    "quiet_until": [{"quiet_from": 8, "quiet_until": 7}],
    "retries_max": [{"retries_max": 9}],
}


@pytest.mark.parametrize(
    ("field", "wish"),
    [(field, wish) for field, wishes in CONTRADICTIONS.items() for wish in wishes],
)
def test_no_policy_holds_a_step_that_contradicts_another(field, wish):
    with pytest.raises(Invalid) as refused:
        checking.check(replace(SHIPPED, **wish))
    assert refused.value.field == field
    assert ":" in refused.value.values["reason"] or "." in refused.value.values["reason"]


def test_every_class_of_failure_has_its_reason():
    reasons = {name: rules.reason_of(name, None) for name in CLASSES}
    theirs = {name for name, reason in reasons.items() if reason is not Reason.GATEWAY}
    assert theirs == {str(name) for name in CUSTOMER_CLASSES}
    assert rules.reason_of("authentication_failure", "insufficient_funds") is Reason.FUNDS
