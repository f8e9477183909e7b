from datetime import date

import pytest
from sqlalchemy import true

from opsapp.gateways.values import Outcome
from opsapp.payments import recording, rules as payment_rules
from opsapp.payments.rules import Verdict
from opsapp.payments.states import AttemptStatus
from opsapp.simulation import living
from opsapp.simulation.living import Wish, live
from opsapp.simulation.luck import PROFILES, Profile
from opsapp.subscriptions import rules, selecting

SMALL = Wish(subscriptions=20, months=2, seed=1)


def test_nothing_is_violated_and_the_same_seed_ends_in_the_same_way(servers):
    first, again, other = (
        live(wish, server_url=servers.database_url)
        for wish in (SMALL, SMALL, Wish(subscriptions=30, months=1, seed=2))
    )
    for outcome in (first, other):
        assert outcome.finding.violations == []
        assert outcome.troubles == []
        assert [(row.id, row.examples) for row in outcome.probes if row.violations] == []
    assert first.finding.hash == again.finding.hash != other.finding.hash
    assert first.finding.due == sum(first.finding.sums.values()) > 10
    assert first.figures["hints"]["dropped"]
    assert first.figures["hints"]["doubled"]


def test_a_calendar_that_steps_from_the_period_before_is_caught(servers, monkeypatch):
    def step_by_step(anchor_on, anchor_day, interval, interval_count, index):
        if interval != "month":
            return real(anchor_on, anchor_day, interval, interval_count, index)
        day = anchor_on
        for _ in range(index):
            day = real(day, day.day, interval, interval_count, 1)
        return day

    real = rules.due_date
    monkeypatch.setattr(rules, "due_date", step_by_step)
    monkeypatch.setattr(living, "FIRST_DAY", date(2027, 1, 28))  # and two months: to 29 March
    outcome = _live_with(monkeypatch, Profile(), servers)
    assert any("a period on" in sentence for sentence in outcome.finding.violations)


def test_a_timeout_that_is_taken_for_a_decline_is_caught(servers, monkeypatch):
    def hasty(answer, question):
        if answer.outcome is Outcome.UNKNOWN:
            return Verdict(AttemptStatus.DECLINED, "no answer")
        return real(answer, question)

    real = payment_rules.judge
    monkeypatch.setattr(recording.rules, "judge", hasty)
    outcome = _live_with(monkeypatch, Profile(lost_after=0.3), servers)
    assert any(": paid " in sentence for sentence in outcome.finding.violations)
    assert _violations_of("I2", outcome) > 0


def test_a_charge_that_nobody_was_told_of_is_caught(servers, monkeypatch):
    monkeypatch.setattr(selecting, "_was_told_by_agreement", lambda lead: true())
    monkeypatch.setattr(selecting, "_lock_due", selecting._lock_due.__wrapped__)
    assert _violations_of("I9", _live_with(monkeypatch, Profile(), servers)) > 0


def _live_with(monkeypatch: pytest.MonkeyPatch, faults: Profile, servers):
    """Two of these subscriptions begin on one of the last days of January, if that is the first."""
    monkeypatch.setitem(PROFILES, "test", faults)
    wish = Wish(subscriptions=10, months=2, seed=89, faults="test")
    return live(wish, server_url=servers.database_url)


def _violations_of(number: str, outcome) -> int:
    return next(row.violations for row in outcome.probes if row.id == number)
