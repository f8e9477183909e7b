from itertools import pairwise
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Regexp

from opsapp.console import access, errors, failure_words, lists
from opsapp.console.access import requires
from opsapp.failures import editing, queries, rules
from opsapp.failures.editing import CodeEdit
from opsapp.failures.rules import Wording
from opsapp.insights import counting_codes
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

SUBCLASSES: list[Any] = sorted(rules.read_meanings())

routes = Blueprint("failures", __name__, url_prefix="/settings/failure-codes")


class CodeForm(FlaskForm):
    """`seen_version` is the version that the screen showed; 0 for a code that is to be added."""

    subclass = SelectField(choices=SUBCLASSES, validators=[InputRequired()])
    hint_ko = TextAreaField()
    hint_en = TextAreaField()
    script_ko = TextAreaField()
    script_en = TextAreaField()
    because = StringField()
    typed_code = StringField()
    seen_version = HiddenField(default="0", validators=[Regexp(r"^[0-9]{1,9}\Z")])

    def edit(self) -> CodeEdit:
        """Only after validation. Raises Invalid naming the field."""
        texts = {
            name: (self[name].data or "").replace("\r\n", "\n").strip()
            for name in ("hint_ko", "hint_en", "script_ko", "script_en")
        }
        return CodeEdit(
            subclass=self.subclass.data,
            wording=Wording(**texts),
            because=self.because.data or "",
            typed_code=self.typed_code.data or "",
        )


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    return render_template(
        "console/failures/list.html",
        sources=queries.count_by_source(),
        waiting=queries.list_unmapped(),
        coverage=counting_codes.measure_coverage(),
        meanings=rules.read_meanings(),
        desk=failure_words,
        **lists.open_list("failures").values,
    )


@routes.get("/<id:code_id>")
@requires(Permission.VIEW)
def show(code_id: int) -> str:
    return _detail(code_id)


@routes.post("/<id:code_id>")
@requires(Permission.EDIT_FAILURE_CODES)
def change(code_id: int) -> Response | tuple[str, int]:
    form = CodeForm()
    if not form.validate_on_submit():
        return _detail(code_id, form), 422
    try:
        with transaction():
            seen, by = int(form.seen_version.data or 0), access.current_actor()
            changed_id = editing.change_code(code_id, form.edit(), seen_version=seen, by=by)
    except OpsError as error:
        _point_out(form, error)
        return _detail(code_id, form), error.http_status
    return redirect(url_for(".show", code_id=changed_id))


@routes.get("/review/<id:unmapped_id>")
@requires(Permission.VIEW)
def review(unmapped_id: int) -> str | Response:
    return _review(unmapped_id)


@routes.post("/review/<id:unmapped_id>")
@requires(Permission.EDIT_FAILURE_CODES)
def add(unmapped_id: int) -> Response | tuple[str | Response, int]:
    form = CodeForm()
    if not form.validate_on_submit():
        return _review(unmapped_id, form), 422
    try:
        with transaction():
            added_id = editing.add_code(unmapped_id, form.edit(), by=access.current_actor())
    except OpsError as error:
        _point_out(form, error)
        return _review(unmapped_id, form), error.http_status
    return redirect(url_for(".show", code_id=added_id))


def _point_out(form: CodeForm, error: OpsError) -> None:
    field = error.field if error.field in form else "because"
    form[field].errors = [errors.told(error)]


def _detail(code_id: int, form: CodeForm | None = None) -> str:
    versions = queries.list_versions(code_id)
    present = versions[0]
    if form is None:
        form = CodeForm(formdata=None, obj=present)
        form.because.data, form.seen_version.data = "", str(present.version)
    return render_template(
        "console/failures/detail.html",
        present=present,
        versions=versions,
        changes={new.id: rules.differences(old, new) for new, old in pairwise(versions)},
        dangerous={n.id for n, o in pairwise(versions) if rules.is_dangerous(o.outcome, n.outcome)},
        form=form,
        meanings=rules.read_meanings(),
        desk=failure_words,
        fault=rules.fault_of(present.failure_class),
        names=staff.names_of_actors(version.changed_by for version in versions),
    )


def _review(unmapped_id: int, form: CodeForm | None = None) -> str | Response:
    unmapped = queries.get_unmapped(unmapped_id)
    known = queries.find_current(unmapped.source, unmapped.code)
    if known is not None:
        return redirect(url_for(".show", code_id=known.id))
    return render_template(
        "console/failures/review.html",
        unmapped=unmapped,
        form=form or CodeForm(formdata=None),
        meanings=rules.read_meanings(),
        desk=failure_words,
    )
