"""Checking: no policy is kept that holds a step which contradicts another."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from opsapp.kernel.errors import Invalid
from opsapp.recovery.rules import (
    CUSTOMER_REASONS,
    LAST_WARNING,
    REMINDER,
    STEP_NOTICES,
    FinalAction,
    Policy,
    PolicyStep,
)

STEPS_MAX = 8
WAIT_HOURS = range(1, 60 * 24 + 1)
ALL_WAITS_MAX = 60 * 24
NUMBERS = {
    "notice_days": (1, 60, "Customers are told 1 to 60 days before a charge."),
    "notice_lead_hours": (0, 168, "The notice comes 0 to 168 hours before the charge at least."),
    "quiet_from": (0, 23, "Enter an hour from 0 to 23."),
    "quiet_until": (0, 23, "Enter an hour from 0 to 23."),
    "closed_from": (0, 23, "Enter an hour from 0 to 23."),
    "closed_until": (0, 23, "Enter an hour from 0 to 23."),
    "retries_max": (1, STEPS_MAX, "Allow 1 to 8 retries."),
    "answer_hours": (1, 168, "A ticket is answered within 1 to 168 hours."),
    "payday_reach": (1, 31, "Look for a payday 1 to 31 days ahead."),
    "gateway_wait_minutes": (5, 1440, "Wait 5 to 1,440 minutes after a gateway's fault."),
    "gateway_tries_max": (1, 200, "Allow 1 to 200 tries while a gateway fails."),
    "apology_at": (0, 200, "The apology comes with a try from 1 on; 0 sends none."),
    "card_budget": (1, 30, "A card may be declined 1 to 30 times in 30 days."),
}

_Problem = tuple[str, str]


def check(policy: Policy) -> None:
    """Raises Invalid with the field, what is wrong with it and what to enter instead."""
    for field, reason in _problems(policy):
        raise Invalid(field=field, reason=reason)


def as_json(policy: Policy) -> dict[str, Any]:
    return asdict(policy)


def read_policy(terms: Mapping[str, Any]) -> Policy:
    """What as_json wrote: a version that was kept is valid."""
    steps = tuple(
        PolicyStep(
            wait_hours=step["wait_hours"],
            waits=tuple((reason, hours) for reason, hours in step["waits"]),
            at_payday=step["at_payday"],
            notice=step["notice"],
        )
        for step in terms["steps"]
    )
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in terms.items()
    }
    return Policy(**values | {"steps": steps})


def differences(before: Policy, after: Policy) -> list[tuple[str, Any, Any]]:
    """(name, before, after) of what two versions say differently, steps by their number."""
    old, new = _flat(before), _flat(after)
    return [
        (name, old.get(name), new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def _flat(policy: Policy) -> dict[str, Any]:
    flat = {name: value for name, value in asdict(policy).items() if name != "steps"}
    return flat | {f"step {n}": step for n, step in enumerate(policy.steps, 1)}


def _problems(policy: Policy) -> Iterator[_Problem]:
    for name, (least, most, reason) in NUMBERS.items():
        if not least <= getattr(policy, name) <= most:
            yield name, reason
    yield from _of_steps(policy)
    if not 1 <= policy.ticket_at <= len(policy.steps):
        yield (
            "ticket_at",
            "The ticket must come before the final action: choose a failure that is tried again.",
        )
    yield from _of_notices(policy)
    yield from _of_reasons(policy)
    yield from _of_days(policy)
    if policy.final_action not in list(FinalAction):
        yield "final_action", "Choose what ends the series: suspend or cancel."
    if policy.apology_at > policy.gateway_tries_max:
        yield (
            "apology_at",
            "The apology would come after the last try: choose an earlier one, or allow more.",
        )
    if policy.card_budget < policy.final_at:
        yield (
            "card_budget",
            "The budget ends before the last step: allow as many declines as there are failures.",
        )
    if (policy.closed_until - policy.closed_from) % 24 > 12:
        yield "closed_until", "Banks are closed for 12 hours at most: choose a shorter span."
    if (policy.quiet_until - policy.quiet_from) % 24 > 16:
        yield "quiet_until", "Quiet hours last 16 hours at most: people must be told some time."


def _of_steps(policy: Policy) -> Iterator[_Problem]:
    if not 1 <= len(policy.steps) <= policy.retries_max:
        yield (
            "steps",
            "There are no retries, or more than allowed: remove steps, or allow more retries.",
        )
    for reason in ("", *CUSTOMER_REASONS):
        waits = [step.wait_of(reason) for step in policy.steps]
        if any(wait not in WAIT_HOURS for wait in waits):
            yield "steps", "Each wait is 1 to 1,440 hours: enter a number between them."
        if any(later < earlier for earlier, later in pairwise(waits)):
            yield (
                "steps",
                "A wait is shorter than the one before it: later retries must not come faster.",
            )
        if sum(waits) > ALL_WAITS_MAX:
            yield "steps", "All waits together exceed 60 days: shorten them."


def _of_notices(policy: Policy) -> Iterator[_Problem]:
    notices = [step.notice for step in policy.steps]
    if not set(notices) <= set(STEP_NOTICES):
        yield "steps", "There is no such notice: choose one of the list."
    told = [notice for notice in notices if notice]
    if len(set(told)) < len(told):
        yield (
            "steps",
            "The same notice stands at two steps; customers get it once: remove one of them.",
        )
    if LAST_WARNING in notices:
        place = notices.index(LAST_WARNING) + 1
        if place < policy.ticket_at:
            yield (
                "steps",
                "The last warning comes before its ticket: move it to that step or later.",
            )
        if REMINDER in notices[place:]:
            yield (
                "steps",
                "A reminder follows the last warning: put the reminder before it.",
            )


def _of_reasons(policy: Policy) -> Iterator[_Problem]:
    known = {str(reason) for reason in CUSTOMER_REASONS}
    if not set(policy.hard_reasons) <= known or len(policy.hard_reasons) >= len(known):
        yield "hard_reasons", "Choose reasons of the list, and leave one that is tried again."
    named = {reason for step in policy.steps for reason, _ in step.waits}
    if not named <= known:
        yield "steps", "A wait is set for a reason that does not exist: choose one of the list."
    if named & set(policy.hard_reasons):
        yield (
            "hard_reasons",
            "A reason that is never retried has a wait of its own: remove one of the two.",
        )


def _of_days(policy: Policy) -> Iterator[_Problem]:
    days = policy.expiring_days
    if not 1 <= len(days) <= 5 or any(not 1 <= day <= 365 for day in days):
        yield "expiring_days", "Enter 1 to 5 numbers of days from 1 to 365, for example 60, 30, 7."
    elif any(later >= earlier for earlier, later in pairwise(days)):
        yield "expiring_days", "Enter the days from the earliest notice to the last: 60, 30, 7."
    if policy.notice_lead_hours > policy.notice_days * 24:
        yield (
            "notice_lead_hours",
            "The notice would have to come before it is made: lower the hours or raise the days.",
        )
    if len(set(policy.paydays)) < len(policy.paydays) or any(
        not 1 <= day <= 31 for day in policy.paydays
    ):
        yield "paydays", "Enter days of the month from 1 to 31, each once."
    if any(step.at_payday for step in policy.steps) and not policy.paydays:
        yield "paydays", "A step waits for a payday, but none is named: name days, or clear it."
