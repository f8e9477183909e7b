"""Circuit decisions, without a database: what opens, what closes, what is let through."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from opsapp.gateways.values import METHOD_GONE, Answer, Capabilities, FailureClass, Outcome
from opsapp.kernel.money import Money
from opsapp.routing import rules
from opsapp.routing.rules import Circuit, Heard, Kind, Route
from opsapp.routing.states import CIRCUIT, CircuitStatus

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SLOW = timedelta(seconds=10)
REST_S = 30
WELL = Circuit("toss", id=1)
O = Outcome  # noqa: E741 - a column of the table below


def heard(*kinds: Kind, took_s: float = 0.1, subject: str = "") -> list[Heard]:
    took = timedelta(seconds=took_s)
    return [Heard(subject or f"attempt {n}", kind, took, "X") for n, kind in enumerate(kinds)]


def after(circuit: Circuit, answers: list[Heard], now: datetime = NOW) -> Circuit:
    return rules.after_answers(circuit, answers, now, first_rest_s=REST_S)


def opened(now: datetime = NOW) -> Circuit:
    return after(WELL, heard(*[Kind.FAILED] * 10), now)


def probing() -> tuple[Circuit, datetime]:
    later = NOW + timedelta(seconds=REST_S)
    return rules.grant(opened(), 3, later)[1], later


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(O.APPROVED, took_s=1), Kind.OK),
        (Answer(O.PENDING, took_s=1), Kind.OK),
        (Answer(O.PREPARED, took_s=1), Kind.OK),
        (Answer(O.NOT_FOUND, took_s=1), Kind.OK),
        (Answer(O.APPROVED, took_s=10.5), Kind.SLOW),
        (Answer(O.DECLINED, code="REJECT_CARD_PAYMENT", took_s=1), Kind.OK),
        (Answer(O.DECLINED, code="BANK", failure_class=FailureClass.GATEWAY), Kind.OK),
        (Answer(O.CONFLICT, code="ALREADY", failure_class=FailureClass.CONFLICT), Kind.OK),
        (Answer(O.CONFLICT, code="BUSY", failure_class=FailureClass.GATEWAY), Kind.FAILED),
        (Answer(O.UNKNOWN, "the adapter failed"), Kind.FAILED),
        (Answer(O.UNKNOWN, code="READ_TIMEOUT", failure_class=FailureClass.GATEWAY), Kind.FAILED),
        (Answer(O.UNKNOWN, "in progress", code="IN_PROGRESS"), Kind.OK),
        (
            Answer(
                O.UNKNOWN,
                code="NEW_CODE",
                unmapped_source="toss_api",
                failure_class=FailureClass.GATEWAY,
            ),
            Kind.OK,
        ),
        (
            Answer(
                O.UNKNOWN,
                code="KEY_IN_USE",
                failure_class=FailureClass.GATEWAY,
                retry_mode="same_request",
            ),
            Kind.OK,
        ),
        (
            Answer(
                O.UNKNOWN,
                code="NEW",
                unmapped_source="toss_api",
                failure_class=FailureClass.GATEWAY,
            ),
            Kind.OK,
        ),
        (Answer(O.MISCONFIGURED, code="UNAUTHORIZED_KEY"), Kind.MISCONFIGURED),
        (
            Answer(O.NOT_SENT, code="CONNECT_REFUSED", failure_class=FailureClass.GATEWAY),
            Kind.FAILED,
        ),
        (Answer(O.NOT_SENT, "the lease is too old to send"), None),
        (METHOD_GONE, None),
    ],
)
def test_an_answer_says_something_about_the_gateway_or_nothing(answer, kind):
    said = rules.hear("attempt 1", answer, slow=SLOW)
    assert (said and said.kind) == kind


@pytest.mark.parametrize(
    ("failed", "slow", "ok", "status"),
    [
        (10, 0, 0, "open"),
        (0, 10, 0, "open"),
        (5, 5, 10, "open"),
        (9, 0, 0, "closed"),
        (10, 0, 11, "closed"),
        (100, 0, 101, "closed"),
        (100, 0, 100, "open"),
    ],
)
def test_it_opens_at_ten_bad_calls_that_are_half_of_all(failed, slow, ok, status):
    kinds = [Kind.OK] * ok + [Kind.FAILED] * failed + [Kind.SLOW] * slow
    assert after(WELL, heard(*kinds)).status == status


def test_three_calls_that_held_us_up_for_a_minute_are_an_outage_and_two_are_not():
    two = after(WELL, heard(*[Kind.SLOW] * 2, took_s=30))
    three = after(two, heard(Kind.SLOW, took_s=30), NOW + timedelta(seconds=30))
    assert (two.status, three.status, three.lost_s) == ("closed", "open", 90)
    outweighed = after(two, heard(Kind.SLOW, Kind.OK, Kind.OK, Kind.OK, Kind.OK, took_s=0.1))
    assert outweighed.status == "closed"


def test_a_call_belongs_to_the_window_in_which_it_began():
    two = after(WELL, heard(*[Kind.SLOW] * 2, took_s=65))
    late = after(two, heard(Kind.SLOW, took_s=65), NOW + timedelta(seconds=70))
    assert late.status == "open"


def test_bad_calls_of_an_earlier_minute_are_forgotten():
    before = after(WELL, heard(*[Kind.FAILED] * 9))
    late = after(before, heard(Kind.FAILED), NOW + rules.WINDOW + timedelta(seconds=1))
    soon = after(before, heard(Kind.FAILED), NOW + rules.WINDOW - timedelta(seconds=1))
    assert (late.status, late.failures, soon.status) == ("closed", 1, "open")


def test_good_calls_from_before_the_first_trouble_do_not_outweigh_it():
    calm = after(WELL, heard(*[Kind.OK] * 1000))
    assert after(calm, heard(*[Kind.FAILED] * 10)).status == "open"


def test_answers_to_calls_from_before_the_opening_change_nothing():
    circuit, now = probing()
    late = heard(*[Kind.FAILED] * 5, took_s=REST_S + 5)
    assert after(circuit, late, now) == circuit
    assert after(opened(), heard(*[Kind.FAILED] * 50)) == opened()


def test_three_good_probes_close_it_and_wipe_its_figures():
    circuit, now = probing()
    assert circuit.status == "probing"
    two = after(circuit, heard(Kind.OK, Kind.OK), now)
    assert two.status == "probing"
    closed = after(two, heard(Kind.OK), now)
    assert (closed.status, closed.calls, closed.rest_s) == ("closed", 0, 0)
    assert rules.is_calm(closed, now)


@pytest.mark.parametrize("kind", [Kind.FAILED, Kind.SLOW])
def test_each_failing_probe_doubles_the_rest_up_to_ten_times_the_first(kind):
    circuit, now, rests = opened(), NOW, []
    for _ in range(6):
        rests.append(circuit.rest_s)
        now += timedelta(seconds=circuit.rest_s)
        granted, circuit = rules.grant(circuit, 1, now)
        assert granted == 1
        circuit = after(circuit, heard(kind), now)
        assert (circuit.status, circuit.because) == ("open", rules.PROBE_FAILED)
    assert rests == [30, 60, 120, 240, 300, 300]


def test_three_orders_refused_for_our_settings_pause_it_and_one_asked_thrice_does_not():
    same = WELL
    for _ in range(5):
        same = after(same, heard(Kind.MISCONFIGURED, subject="attempt 1"))
    assert same.status == "closed"
    three = after(WELL, heard(*[Kind.MISCONFIGURED] * 3))
    assert (three.status, three.because) == ("paused", rules.OUR_SETTINGS)
    circuit, now = probing()
    assert after(circuit, heard(*[Kind.MISCONFIGURED] * 3), now).status == "paused"


def test_nothing_is_let_through_while_it_rests_and_three_calls_afterwards():
    circuit = opened()
    before = circuit.retry_at - timedelta(seconds=1)
    assert rules.grant(circuit, 100, before) == (0, circuit)
    allowed, probed = rules.grant(circuit, 100, circuit.retry_at)
    assert (allowed, probed.status, probed.probes_left) == (3, "probing", 0)
    assert rules.grant(probed, 100, circuit.retry_at)[0] == 0
    lost = circuit.retry_at + rules.PROBE_LIFE
    assert rules.grant(probed, 100, lost)[0] == 3


def test_a_paused_gateway_is_asked_nothing_however_long():
    paused = replace(WELL, status="paused")
    assert rules.grant(paused, 1, NOW + timedelta(days=300))[0] == 0
    assert not rules.may_be_asked(paused, NOW + timedelta(days=300))


def test_a_new_payment_may_be_the_probe_when_the_rest_is_over():
    circuit = opened()
    assert not rules.may_be_asked(circuit, NOW)
    assert rules.may_be_asked(circuit, circuit.retry_at)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["answers", "claim"]),
        st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=12),
        st.integers(0, 400),
        st.floats(0, 80),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_it_moves_as_its_table_allows_and_can_be_reached_again(steps):
    circuit, now, out = WELL, NOW, 0
    for act, kinds, pause_s, took_s in steps:
        now += timedelta(seconds=pause_s)
        if act == "claim":
            allowed, after_it = rules.grant(circuit, len(kinds), now)
            assert 0 <= allowed <= len(kinds)
            out = allowed if after_it.status == CircuitStatus.PROBING else 0
            assert out <= rules.PROBES
        else:
            after_it = after(circuit, heard(*kinds, took_s=took_s), now)
        moved = after_it.status != circuit.status
        assert not moved or CIRCUIT.allows(circuit.status, CircuitStatus(after_it.status))
        assert (after_it.retry_at is not None) == (after_it.status in ("open", "probing"))
        assert 0 <= after_it.rest_s <= REST_S * rules.RESTS_MAX
        assert timedelta(0) <= rules.held_for(after_it, now) <= rules.HELD_MAX
        circuit = after_it
    if circuit.status in ("open", "probing"):
        assert rules.grant(circuit, 1, circuit.retry_at)[0] == 1


CAN = Capabilities(
    window_methods=frozenset({"card"}), billing_methods=frozenset(), issues_accounts=True,
    currencies=frozenset({"KRW"}), minimum_minor={("card", "KRW"): 100},
    partial_refunds=frozenset(), same_month_refunds=frozenset(), account_refunds=frozenset(),
    cash_receipts=frozenset(), replay_window=None, replays_errors=False,
    inquires_by_order_id=True, quarantine=None, confirms_on_return=True, refund_lock=False,
    signs_webhooks=False, account_life_max=timedelta(days=1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "amount", "circuit", "reason"),
    [
        ("card", Money(100, "KRW"), WELL, ""),
        ("virtual_account", Money(1, "KRW"), WELL, ""),
        ("mobile", Money(100, "KRW"), WELL, "takes no mobile"),
        ("card", Money(100, "USD"), WELL, "takes no USD"),
        ("card", Money(99, "KRW"), WELL, "takes no less than 100"),
        ("card", Money(100, "KRW"), opened(), "is open"),
        ("card", Money(100, "KRW"), probing()[0], ""),
    ],
)
def test_a_gateway_says_why_it_cannot_take_a_payment(kind, amount, circuit, reason):
    assert rules.why_not(CAN, circuit, kind, amount, NOW) == reason


AMOUNTS = st.integers(0, 10**9)


@given(AMOUNTS, AMOUNTS, st.one_of(st.none(), AMOUNTS))
def test_a_route_takes_the_amounts_between_its_ends_and_both_of_them(minor, first, last):
    takes = Route("toss", first, last).takes(minor)
    assert takes == (first <= minor and (last is None or minor <= last))


def test_routes_are_tried_in_order_and_without_any_the_order_of_the_installation():
    routes = [Route("b", 0, 1000), Route("a", 0, None), Route("gone", 0, None)]
    won = Money(500, "KRW"), Money(5000, "KRW")
    configured = ["a", "b"]
    assert rules.candidates(routes, configured, won[0], not_these=()) == ["b", "a"]
    assert rules.candidates(routes, configured, won[1], not_these=()) == ["a"]
    assert rules.candidates([], configured, won[1], not_these={"a"}) == ["b"]
