"""What the help dialog says; fetched when it is opened, as few come to a page with a question."""

from flask import Blueprint, render_template, request

from opsapp.console import help_words
from opsapp.console.access import public
from opsapp.kernel.locale import gettext as _

routes = Blueprint("glossary", __name__, url_prefix="/help")


@routes.get("/")
@public
def show_words() -> str:
    """The keys, what the screen named by its endpoint is for, and what our words mean."""
    purpose = _(help_words.PURPOSE.get(request.args.get("screen", ""), ""))
    return render_template("_parts/help.html", purpose=purpose)
