"""Versions of a plan: another price, trial or term from a day on. The rhythm stays the plan's."""

from datetime import date

from opsapp.catalog import queries, rules
from opsapp.catalog.errors import OtherCurrency, VersionTooEarly
from opsapp.catalog.models import Plan, PlanVersion
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.kernel.money import Money


@within_transaction
def add_version(
    plan_id: int,
    *,
    amount: Money,
    effective_on: date,
    trial_days: int = 0,
    term_periods: int | None = None,
    applies_to_existing: bool = False,
    by: Actor,
) -> PlanVersion:
    """What new subscribers agree to from `effective_on` (a Seoul day after today).

    Versions follow one another in the order of their days: none can be slipped in between two.
    With `applies_to_existing`, subscriptions.repricing plans the new price for the others.
    Raises NotFound, VersionTooEarly, OtherCurrency, Invalid.
    """
    plan = queries.lock_plan(plan_id)
    check_version(plan, amount, effective_on, trial_days, term_periods)
    versions = queries.list_versions(plan_id)
    number = versions[0].version + 1 if versions else 2
    row = {
        "plan_id": plan_id,
        "version": number,
        "effective_on": effective_on,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "trial_days": trial_days,
        "term_periods": term_periods,
        "applies_to_existing": applies_to_existing,
        "added_by": str(by),
        "created_at": clock.now(),
    }
    bulk_insert(PlanVersion, [row])
    entry = Entry(
        "plan.version_added",
        "plan",
        plan_id,
        because=f"version {number}, from {effective_on}",
        detail={
            "version": number,
            "amount_minor": amount.minor,
            "trial_days": trial_days,
            "term_periods": term_periods,
            "applies_to_existing": applies_to_existing,
        },
    )
    record(entry, by=by)
    return queries.get_version(plan_id, number)


def check_version(
    plan: Plan, amount: Money, effective_on: date, trial_days: int, term_periods: int | None
) -> None:
    """Raises what add_version would raise."""
    rules.check_trial_days(trial_days)
    rules.check_term_periods(term_periods)
    if amount.currency != plan.currency:
        raise OtherCurrency(field="amount", currency=plan.currency)
    rules.check_amount(amount.minor)
    versions = queries.list_versions(plan.id)
    today = clock.seoul_date(clock.now())
    rules.check_effective_on(effective_on, today=today)
    last_day = max(today, versions[0].effective_on) if versions else today
    if effective_on <= last_day:
        raise VersionTooEarly(field="effective_on", day=last_day)
