from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors, forms, frame, recovery_forms, recovery_words
from opsapp.console.access import requires
from opsapp.insights import listing_recoveries
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.recovery import activating, checking, drafting, queries, simulating
from opsapp.recovery.queries import InForce
from opsapp.recovery.rules import CUSTOMER_REASONS, STEP_NOTICES
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("recovery_policies", __name__, url_prefix="/recovery/policies")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    versions = queries.list_versions()
    return render_template(
        "console/recovery/policies.html",
        versions=[(row, queries.in_force(row).policy) for row in versions],
        rates=listing_recoveries.list_rates(frame.now()),
        names=staff.names_of_actors(row.made_by for row in versions),
        **_words(),
    )


@routes.get("/new")
@requires(Permission.EDIT_RECOVERY)
def edit() -> str:
    """The editor, filled with an existing version."""
    base = queries.get_version(forms.whole_number("from") or queries.list_in_force()[0].id)
    return _editor(recovery_forms.fill(queries.in_force(base)))


@routes.post("/new")
@requires(Permission.EDIT_RECOVERY)
def save() -> Response | tuple[str, int]:
    try:
        draft = recovery_forms.read(request.form)
        with transaction():
            policy_id = drafting.save_draft(draft, by=access.current_actor())
    except OpsError as error:
        wrong = {recovery_forms.place_of(error.field): errors.told(error)}
        return _editor(recovery_forms.typed(request.form), wrong), error.http_status
    return redirect(url_for(".show", policy_id=policy_id))


@routes.get("/<id:policy_id>")
@requires(Permission.VIEW)
def show(policy_id: int) -> str:
    return _version(policy_id)


@routes.post("/<id:policy_id>/<any(activate,discard,end):action>")
@requires(Permission.EDIT_RECOVERY)
def act(policy_id: int, action: str) -> Response | tuple[str, int]:
    because, by = forms.text("because", request.form), access.current_actor()
    try:
        with transaction():
            if action == "activate":
                seen = forms.whole_number("seen", request.form) or 0
                activating.activate(policy_id, seen_version=seen, because=because, by=by)
            elif action == "discard":
                drafting.discard(policy_id, by=by)
            else:
                activating.end_cohort(policy_id, because=because, by=by)
    except OpsError as error:
        return _version(policy_id, errors.told(error)), error.http_status
    return redirect(url_for(".show", policy_id=policy_id))


def _editor(values: dict[str, Any], wrong: dict[str, str] | None = None) -> str:
    return render_template(
        "console/recovery/edit.html",
        v=values,
        wrong=wrong or {},
        steps=range(1, checking.STEPS_MAX + 1),
        numbers=recovery_forms.NUMBERS,
        hours=recovery_forms.HOURS,
        staff=staff.list_accounts(),
        step_notices=STEP_NOTICES,
        **_words(),
    )


def _version(policy_id: int, refusal: str = "") -> str:
    row = queries.get_version(policy_id)
    present = queries.in_force(row)
    against = next((p for p in queries.list_in_force() if p.cohort == row.cohort), None)
    compares = against is not None and against.id != row.id
    return render_template(
        "console/recovery/version.html",
        row=row,
        policy=present.policy,
        against=against if compares else None,
        seen=against.version if against else 0,
        changes=checking.differences(against.policy, present.policy)
        if against is not None and compares
        else [],
        simulated=_simulated(present) if forms.text("simulate") == "yes" else None,
        names=staff.names_of_actors(
            name for name in (row.made_by, row.activated_by) if name is not None
        ),
        refusal=refusal,
        **_words(),
    )


def _simulated(version: InForce) -> dict[str, Any]:
    """The version and the one in force on last month's failures."""
    series, history = simulating.load_series(), simulating.load_history()
    now = simulating.simulate(queries.get_policy(), series, history)
    then = simulating.simulate(version.policy, series, history)
    return {"now": now, "then": then, "rows": simulating.compared(now, then)}


def _words() -> dict[str, Any]:
    return {
        "desk": recovery_words,
        "reasons": CUSTOMER_REASONS,
        "waits": recovery_forms.waits,
        "span_of": recovery_forms.span_of,
    }
