"""What people are asked to agree to: versions of the texts, and another one."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import DateField, HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Regexp

from opsapp.consents import publishing, queries, rules
from opsapp.consents.rules import KINDS, Wording
from opsapp.console import access, consent_words, errors, forms, frame
from opsapp.console.access import requires
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.settings import current
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("terms", __name__, url_prefix="/settings/terms")

KIND = "<any(recurring_payment,price_change,trial_to_paid,privacy):terms_kind>"
TEXTS = ("title_ko", "text_ko", "title_en", "text_en")
# What fills the variables where a text is only looked at.
SAMPLE: dict[str, Any] = {
    "plan": "프리미엄 요금제",
    "amount_minor": 19_900,
    "old_minor": 19_900,
    "new_minor": 22_900,
    "currency": "KRW",
    "interval": "month",
    "interval_count": 1,
    "method": "신한 **** 1234",
}


class TermsForm(FlaskForm):
    """`seen_version` is the latest version that the screen showed."""

    title_ko = StringField()
    text_ko = TextAreaField(render_kw={"rows": 12})
    title_en = StringField()
    text_en = TextAreaField(render_kw={"rows": 12})
    effective_from = DateField(
        validators=[InputRequired(message="Enter a day, for example 2026-12-01.")]
    )
    because = StringField()
    seen_version = HiddenField(default="0", validators=[Regexp(r"^[0-9]{1,9}\Z")])

    def wording(self) -> Wording:
        return Wording(**{name: self[name].data or "" for name in TEXTS})


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    versions = queries.list_versions_of(KINDS)
    return render_template(
        "console/terms/list.html",
        by_kind={kind: [each for each in versions if each.kind == kind] for kind in KINDS},
        shown=queries.list_terms_on(KINDS, seoul_date(frame.now())),
        counts=queries.count_by_terms(),
        say=consent_words,
    )


@routes.get(f"/{KIND}/")
@requires(Permission.VIEW)
def show_kind(terms_kind: str) -> str:
    return _kind_page(terms_kind)


@routes.post(f"/{KIND}/")
@requires(Permission.EDIT_TERMS)
def publish(terms_kind: str) -> Response | tuple[str, int]:
    form = TermsForm()
    if not form.validate_on_submit():
        return _kind_page(terms_kind, form), 422
    try:
        with transaction():
            _publish(terms_kind, form)
    except OpsError as error:
        field = error.field if error.field in form else "because"
        form[field].errors = [errors.told(error)]
        return _kind_page(terms_kind, form), error.http_status
    return redirect(url_for(".show_kind", terms_kind=terms_kind, done="published"))


@routes.get("/versions/<id:terms_id>")
@requires(Permission.VIEW)
def show(terms_id: int) -> str:
    terms = queries.get_terms(terms_id)
    today = seoul_date(frame.now())
    days = {name: (today + timedelta(days=14)).isoformat() for name in ("first_on", "from_on")}
    facts = SAMPLE | days | {"shop": current().shop_name}
    texts = {"ko": (terms.title_ko, terms.text_ko), "en": (terms.title_en, terms.text_en)}
    return render_template(
        "console/terms/detail.html",
        terms=terms,
        samples={
            locale: rules.fill_in(title, text, facts, locale=locale)
            for locale, (title, text) in texts.items()
        },
        names=staff.names_of_actors([terms.made_by]),
        say=consent_words,
    )


def _publish(kind: str, form: TermsForm) -> None:
    publishing.publish_terms(
        kind,
        form.wording(),
        effective_from=form.effective_from.data or seoul_date(frame.now()),
        because=form.because.data or "",
        seen_version=int(form.seen_version.data or 0),
        by=access.current_actor(),
    )


def _kind_page(kind: str, form: TermsForm | None = None) -> str:
    versions = queries.list_versions(kind)
    today = seoul_date(frame.now())
    if form is None:
        form = TermsForm(formdata=None, obj=versions[0] if versions else None)
        form.because.data, form.effective_from.data = "", today
        form.seen_version.data = str(versions[0].version if versions else 0)
    return render_template(
        "console/terms/kind.html",
        kind=kind,
        versions=versions,
        shown=queries.list_terms_on([kind], today).get(kind),
        counts=queries.count_by_terms(),
        form=form,
        variables=sorted(rules.VARIABLES[kind]),
        needed=rules.NEEDED[kind],
        names=staff.names_of_actors(version.made_by for version in versions),
        say=consent_words,
        done=forms.choice("done", consent_words.DONE, "") if request.method == "GET" else "",
    )
