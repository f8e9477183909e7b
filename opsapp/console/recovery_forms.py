"""The editor of a recovery policy: what is typed becomes a Draft, and a version becomes fields."""

from collections.abc import Iterator
from typing import Any

from werkzeug.datastructures import MultiDict

from opsapp.console import forms
from opsapp.kernel.errors import Invalid
from opsapp.kernel.locale import gettext as _
from opsapp.recovery.checking import STEPS_MAX
from opsapp.recovery.drafting import Draft
from opsapp.recovery.queries import InForce
from opsapp.recovery.rules import CUSTOMER_REASONS, Policy, PolicyStep

NUMBERS = (
    "notice_days", "notice_lead_hours", "retries_max", "ticket_at", "answer_hours",
    "payday_reach", "gateway_wait_minutes", "gateway_tries_max", "apology_at", "card_budget",
)  # fmt: skip
HOURS = ("quiet_from", "quiet_until", "closed_from", "closed_until")
DAY_HOURS = 24

Form = MultiDict[str, str]


def read(form: Form) -> Draft:
    """Raises Invalid naming the field. What fits together is checked by the room."""
    policy = Policy(
        **{name: _number(form, name) for name in (*NUMBERS, *HOURS)},
        expiring_days=_numbers(form, "expiring_days"),
        paydays=_numbers(form, "paydays"),
        steps=tuple(_steps(form)),
        assignee_id=forms.whole_number("assignee_id", form),
        final_action=forms.text("final_action", form),
        hard_reasons=tuple(form.getlist("hard_reasons")),
    )
    return Draft(
        name=forms.text("name", form),
        cohort=forms.text("cohort", form),
        share=forms.whole_number("share", form) or 0,
        policy=policy,
        because=forms.text("because", form),
    )


def fill(version: InForce) -> dict[str, Any]:
    """The fields of the editor as that version has them."""
    policy = version.policy
    values: dict[str, Any] = {name: getattr(policy, name) for name in (*NUMBERS, *HOURS)}
    for place, step in enumerate(policy.steps, 1):
        values[f"wait-{place}"] = step.wait_hours
        values[f"notice-{place}"] = step.notice
        values[f"payday-{place}"] = step.at_payday
        values |= {f"wait-{place}-{reason}": hours for reason, hours in step.waits}
    return values | {
        "name": version.name,
        "cohort": version.cohort,
        "share": "" if version.share == 100 else version.share,
        "expiring_days": ", ".join(map(str, policy.expiring_days)),
        "paydays": ", ".join(map(str, policy.paydays)),
        "assignee_id": policy.assignee_id,
        "final_action": policy.final_action,
        "hard_reasons": policy.hard_reasons,
    }


def typed(form: Form) -> dict[str, Any]:
    """The fields as somebody has just typed them."""
    return form.to_dict() | {"hard_reasons": form.getlist("hard_reasons")}


def place_of(field: str | None) -> str:
    """The input that an error about the field is shown at."""
    return "wait-1" if field == "steps" else field or "name"


def waits(policy: Policy) -> str:
    """All waits in a row: +1 day, +3 days."""
    return ", ".join(f"+{span_of(step.wait_hours)}" for step in policy.steps)


def span_of(hours: int) -> str:
    if hours % DAY_HOURS:
        return _("{count} h", count=hours)
    return _("{count} d", count=hours // DAY_HOURS)


def _steps(form: Form) -> Iterator[PolicyStep]:
    """Up to the first one without a wait."""
    for place in range(1, STEPS_MAX + 1):
        wait = forms.whole_number(f"wait-{place}", form)
        if wait is None:
            return
        own = (
            (reason.value, forms.whole_number(f"wait-{place}-{reason}", form))
            for reason in CUSTOMER_REASONS
        )
        yield PolicyStep(
            wait_hours=wait,
            waits=tuple((reason, hours) for reason, hours in own if hours is not None),
            at_payday=forms.text(f"payday-{place}", form) == "yes",
            notice=forms.text(f"notice-{place}", form),
        )


def _number(form: Form, name: str) -> int:
    found = forms.whole_number(name, form)
    if found is None:
        raise Invalid(field=name, reason=_("Enter a number."))
    return found


def _numbers(form: Form, name: str) -> tuple[int, ...]:
    """Separated by commas or blanks."""
    words = forms.text(name, form).replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) < 4 for word in words):
        raise Invalid(field=name, reason=_("Enter whole numbers, separated by commas."))
    return tuple(int(word) for word in words)
