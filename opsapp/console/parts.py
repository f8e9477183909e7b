"""The living catalogue of parts: every one in every state, in both themes and both languages."""

from types import SimpleNamespace

from flask import Blueprint, abort, render_template
from wtforms import Form, SelectField, StringField
from wtforms.validators import InputRequired

from opsapp.console import charting, forms, frame
from opsapp.console.access import requires
from opsapp.kernel import locale
from opsapp.kernel.paging import Page
from opsapp.settings import current
from opsapp.staff.rules import Permission

routes = Blueprint("parts", __name__, url_prefix="/_parts")

WEEK = [f"11-{day}" for day in range(16, 23)]


class SampleForm(Form):
    amount = StringField(
        validators=[InputRequired(message="Enter the amount in digits, for example 12,000.")]
    )
    reason_code = SelectField(
        choices=forms.REASONS, validators=[InputRequired(message="Choose a reason.")]
    )


@routes.get("/")
@requires(Permission.VIEW)
def show() -> str:
    """Not in production: it is for those who build screens."""
    if current().mode == "production":
        abort(404)
    locale.current_locale.set(forms.choice("lang", locale.LOCALES, locale.current_locale.get()))
    wrong = {theme: SampleForm(prefix=f"{theme}-") for theme in ("light", "dark")}
    for form in wrong.values():
        form.validate()
    return render_template(
        "console/parts/page.html",
        wrong=wrong,
        right={theme: SampleForm(prefix=f"{theme}-right-") for theme in wrong},
        page=Page([], next_cursor="next", previous_cursor="previous"),
        wish=SimpleNamespace(since="2026-11-01", until="2026-11-22"),
        bars=charting.draw(WEEK, {"A": [3, 8, 5, 12, 9, 7, 4], "B": [2, 6, 6, 9, 9, 5, 3]}),
        line=charting.draw(
            WEEK,
            {"A": [n * 1_250_000 for n in (3, 8, 5, 12, 9, 7, 4)]},
            is_money=True,
            as_lines=True,
        ),
        nothing=charting.draw([], {"A": []}),
        at=frame.now(),
    )
