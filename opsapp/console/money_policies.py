"""Limits, second persons and the time to undo: every version, and how it differs."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from opsapp.approvals import editing, queries, rules
from opsapp.approvals.rules import ROLES, Terms
from opsapp.console import access, approval_words, errors, forms
from opsapp.console.access import requires
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("money_policies", __name__, url_prefix="/settings/money")

Answer = str | Response | tuple[str, int]
NUMBERS = tuple(approval_words.POLICY)


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    return _page(_typed(queries.get_policy().terms))


@routes.post("/<any(review,save):action>")
@requires(Permission.EDIT_MONEY_POLICY)
def save(action: str) -> Answer:
    """First the difference, nothing written; then the same form once more."""
    typed = {name: forms.text(name, request.form) for name in (*NUMBERS, "because")}
    try:
        wanted, seen = _read(request.form), forms.whole_number("seen", request.form) or 0
        if action == "review":
            return _review(wanted, typed)
        with transaction():
            because, by = typed["because"], access.current_actor()
            editing.save_policy(wanted, seen_version=seen, because=because, by=by)
    except OpsError as error:
        return _page(typed, {error.field or "because": errors.told(error)}), error.http_status
    return redirect(url_for(".show_list", done="saved"))


def _review(wanted: Terms, typed: dict[str, str]) -> str:
    """Raises Invalid."""
    rules.check(wanted)
    rules.check_reason(typed["because"])
    changes = rules.differences(queries.get_policy().terms, wanted)
    if not changes:
        raise Invalid(field="because", reason="Nothing was changed.")
    return _page(typed, changes=changes)


def _page(
    typed: dict[str, str],
    wrong: dict[str, str] | None = None,
    changes: list[tuple[str, int, int]] | None = None,
) -> str:
    versions = [(row, queries.read_version(row).terms) for row in queries.list_policies()]
    earlier = [*(terms for _row, terms in versions[1:]), rules.SHIPPED]
    return render_template(
        "console/money_policies/list.html",
        policy=queries.get_policy(),
        versions=[
            (row, rules.differences(before, terms))
            for (row, terms), before in zip(versions, earlier, strict=False)
        ],
        names=staff.names_of_actors(row.made_by for row, _terms in versions),
        v=typed,
        wrong=wrong or {},
        changes=changes,
        numbers=NUMBERS,
        told=approval_words,
        done=forms.text("done") == "saved",
    )


def _typed(terms: Terms) -> dict[str, str]:
    fields: dict[str, Any] = rules.as_json(terms)
    limits = fields.pop("limits")
    flat = fields | {f"limit_{role}": limits[role] for role in ROLES}
    return {name: f"{value:,}" for name, value in flat.items()} | {"because": ""}


def _read(args: MultiDict[str, str]) -> Terms:
    """Raises Invalid."""
    values = {name: _number(name, args) for name in NUMBERS}
    limits = {role: values.pop(f"limit_{role}") for role in ROLES}
    return Terms(limits=limits, **values)


def _number(name: str, args: MultiDict[str, str]) -> int:
    """As people write it. Raises Invalid."""
    typed = forms.bare(forms.text(name, args))
    if not typed:
        raise Invalid(field=name, reason=_("Enter a number."))
    if not typed.replace(",", "").isascii() or not typed.replace(",", "").isdigit():
        raise Invalid(field=name, reason=_("{value} is not a whole number.", value=typed[:50]))
    return int(typed.replace(",", "")[:18])
