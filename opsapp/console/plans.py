"""Plans and their versions: a new price is looked at with whom it reaches, then added."""

from datetime import date
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Regexp, ValidationError

from opsapp.catalog import queries as catalog
from opsapp.console import access, errors, forms, frame
from opsapp.console.access import requires
from opsapp.insights import listing_plans
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.money import parse_money
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.subscriptions import repricing
from opsapp.subscriptions.repricing import Affected, NewVersion

routes = Blueprint("plans", __name__, url_prefix="/settings/plans")


class VersionForm(FlaskForm):
    """`seen_version` is the newest version that the screen showed."""

    amount = StringField(filters=[forms.bare], validators=[Length(max=30)])
    effective_on = StringField(
        validators=[InputRequired(message="Enter the first day, for example 2026-11-22.")]
    )
    trial_days = StringField(
        default="0", validators=[Regexp(r"^[0-9]{1,3}\Z", message="Enter a number of days.")]
    )
    term_periods = StringField(
        default="", validators=[Regexp(r"^[0-9]{0,4}\Z", message="Enter a number of periods.")]
    )
    applies_to_existing = BooleanField()
    seen_version = HiddenField(default="1", validators=[Regexp(r"^[0-9]{1,9}\Z")])

    def validate_effective_on(self, field: StringField) -> None:
        try:
            date.fromisoformat((field.data or "").strip())
        except ValueError as error:
            raise ValidationError(_("Enter the first day, for example 2026-11-22.")) from error

    def wish(self, currency: str) -> NewVersion:
        """Only after validation. Raises Invalid."""
        return NewVersion(
            amount=parse_money(self.amount.data or "", currency),
            effective_on=date.fromisoformat((self.effective_on.data or "").strip()),
            trial_days=int(self.trial_days.data or "0"),
            term_periods=int(self.term_periods.data) if self.term_periods.data else None,
            applies_to_existing=bool(self.applies_to_existing.data),
        )


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    lines = listing_plans.list_plans(seoul_date(frame.now()))
    return render_template("console/plans/list.html", lines=lines)


@routes.get("/<id:plan_id>")
@requires(Permission.VIEW)
def show(plan_id: int) -> str:
    return _detail(plan_id)


@routes.post("/<id:plan_id>/versions/<any(review,add):action>")
@requires(Permission.EDIT_PLANS)
def add(plan_id: int, action: str) -> Response | str | tuple[str, int]:
    """First the review: whom it reaches, nothing written; then the same form once more."""
    form = VersionForm()
    if not form.validate_on_submit():
        return _detail(plan_id, form), 422
    try:
        wish = form.wish(catalog.get_plan(plan_id).currency)
        if action == "review":
            return _detail(plan_id, form, repricing.review(plan_id, wish))
        with transaction():
            seen = int(form.seen_version.data or 0)
            repricing.reprice(plan_id, wish, seen_version=seen, by=access.current_actor())
    except OpsError as error:
        return _detail(plan_id, _pointed_out(form, error)), error.http_status
    return redirect(url_for(".show", plan_id=plan_id, done="added"))


def _pointed_out(form: VersionForm, error: OpsError) -> VersionForm:
    field = error.field if error.field in form else "amount"
    unfit = {
        "amount": _("Enter the amount in digits, for example 12,000."),
        "trial_days": _("Enter a number of days from 0 to 366."),
        "term_periods": _("Enter a number of periods from 1 to 1,200."),
    }
    text = unfit.get(str(field)) if error.code == Invalid.code else None
    form[field].errors = [text or errors.told(error)]
    return form


def _detail(plan_id: int, form: VersionForm | None = None, affected: Affected | None = None) -> str:
    plan, today = catalog.get_plan(plan_id), seoul_date(frame.now())
    lines, first_subscribers = listing_plans.list_versions(plan_id)
    newest = lines[0].version.version if lines else 1
    if form is None:
        form = VersionForm(formdata=None, data={"seen_version": str(newest)})
    values: dict[str, Any] = {"form": form, "affected": affected, "lines": lines, "plan": plan}
    return render_template(
        "console/plans/detail.html",
        **values,
        terms=catalog.list_terms_on([plan_id], today)[plan_id],
        first_subscribers=first_subscribers,
        today=today,
        done=request.args.get("done") == "added",
        names=staff.names_of_actors(line.version.added_by for line in lines),
    )
