"""The texts of notices: what they say, what they may say, and how that changes."""

from flask import Blueprint, redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, Regexp

from opsapp.console import access, errors, notice_words
from opsapp.console.access import requires
from opsapp.kernel.db import end_reading, transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.locale import current_locale
from opsapp.notifications import editing, previewing, queries, rules, wording
from opsapp.notifications.wording import Texts
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("notice_templates", __name__, url_prefix="/notifications/templates")

PARTS = ("subject_ko", "text_ko", "subject_en", "text_en")
NEEDED = "Write something: people read it."

Answer = str | Response | tuple[str, int]


class TextsForm(FlaskForm):
    """`seen_version` is the version that the screen showed; 0 for the shipped texts."""

    subject_ko = StringField(validators=[DataRequired(message=NEEDED)])
    text_ko = TextAreaField(validators=[DataRequired(message=NEEDED)], render_kw={"rows": 12})
    subject_en = StringField(validators=[DataRequired(message=NEEDED)])
    text_en = TextAreaField(validators=[DataRequired(message=NEEDED)], render_kw={"rows": 12})
    template_ref = StringField()
    because = StringField()
    seen_version = HiddenField(default="0", validators=[Regexp(r"^[0-9]{1,9}\Z")])

    @property
    def texts(self) -> Texts:
        """Only after validation."""
        parts = {name: (self[name].data or "").replace("\r\n", "\n").strip() for name in PARTS}
        return Texts(**parts, template_ref=(self.template_ref.data or "").strip())


class BackForm(FlaskForm):
    because = StringField()
    seen_version = HiddenField(default="0", validators=[Regexp(r"^[0-9]{1,9}\Z")])


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    edited = queries.list_all_active_texts()
    return render_template(
        "console/notifications/templates.html",
        kinds=rules.KINDS,
        edited=edited,
        names=staff.names_of_actors(row.changed_by for row in edited.values()),
        told=notice_words,
    )


@routes.get("/<notice_kind>/<medium>/")
@requires(Permission.VIEW)
def show(notice_kind: str, medium: str) -> str:
    return _detail(notice_kind, medium)


@routes.post("/<notice_kind>/<medium>/")
@requires(Permission.EDIT_NOTICES)
def change(notice_kind: str, medium: str) -> Answer:
    form = TextsForm()
    if not form.validate_on_submit():
        return _detail(notice_kind, medium, form), 422
    seen, because, by = _seen(form), form.because.data or "", access.current_actor()
    try:
        with transaction():
            editing.change_texts(
                notice_kind, medium, form.texts, because=because, seen_version=seen, by=by
            )
    except OpsError as error:
        return _refused(notice_kind, medium, form, error)
    return redirect(url_for(".show", notice_kind=notice_kind, medium=medium))


@routes.post("/<notice_kind>/<medium>/preview")
@requires(Permission.EDIT_NOTICES)
def preview(notice_kind: str, medium: str) -> Answer:
    """As the form has it: nothing is kept."""
    form = TextsForm()
    if not form.validate_on_submit():
        return _detail(notice_kind, medium, form), 422
    try:
        previewing.check(notice_kind, medium, form.texts)
    except OpsError as error:
        return _refused(notice_kind, medium, form, error)
    return _detail(notice_kind, medium, form)


@routes.post("/<notice_kind>/<medium>/test")
@requires(Permission.EDIT_NOTICES)
def send_test(notice_kind: str, medium: str) -> Answer:
    """What the form has goes to the address of whoever asks."""
    form = TextsForm()
    if not form.validate_on_submit():
        return _detail(notice_kind, medium, form), 422
    address, by = access.visitor().email, access.current_actor()
    try:
        previewing.check(notice_kind, medium, form.texts)
        end_reading()
        previewing.send_test(notice_kind, medium, form.texts, address=address, by=by)
    except OpsError as error:
        return _refused(notice_kind, medium, form, error)
    return _detail(notice_kind, medium, form, tested=address)


@routes.post("/<notice_kind>/<medium>/shipped")
@requires(Permission.EDIT_NOTICES)
def use_shipped(notice_kind: str, medium: str) -> Answer:
    form = BackForm()
    if not form.validate_on_submit():
        return _detail(notice_kind, medium), 422
    seen, because, by = _seen(form), form.because.data or "", access.current_actor()
    with transaction():
        editing.use_shipped(notice_kind, medium, because=because, seen_version=seen, by=by)
    return redirect(url_for(".show", notice_kind=notice_kind, medium=medium))


def _seen(form: TextsForm | BackForm) -> int:
    return int(form.seen_version.data or 0)


def _refused(kind: str, medium: str, form: TextsForm, error: OpsError) -> tuple[str, int]:
    field = error.field if error.field in form else "because"
    form[field].errors = [errors.told(error)]
    return _detail(kind, medium, form, is_shown=False), error.http_status


def _detail(
    kind: str,
    medium: str,
    form: TextsForm | None = None,
    *,
    is_shown: bool = True,
    tested: str = "",
) -> str:
    previewing.require_kind(kind, medium)
    versions = queries.list_versions(kind, medium)
    active = next((row for row in versions if row.is_active), None)
    present = wording.texts_of(active) if active else wording.shipped(kind, medium)
    if form is None:
        form = TextsForm(formdata=None, obj=present)
        form.seen_version.data = str(active.version if active else 0)
    texts = present if not form.is_submitted() else form.texts
    return render_template(
        "console/notifications/template.html",
        kind=kind,
        medium=medium,
        active=active,
        versions=versions,
        form=form,
        messages=_messages(kind, medium, texts) if is_shown and not form.errors else [],
        tested=tested,
        variables=rules.variables_of(kind),
        filters=sorted(wording.environment().filters),
        names=staff.names_of_actors(row.changed_by for row in versions),
        told=notice_words,
    )


def _messages(kind: str, medium: str, texts: Texts) -> list[tuple[str, object]]:
    """In both languages, the reader's first."""
    first = current_locale.get()
    locales = sorted(rules.LOCALES, key=lambda locale: locale != first)
    return [(each, previewing.preview(kind, medium, texts, each)) for each in locales]
