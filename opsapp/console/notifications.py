from flask import Blueprint, render_template, request

from opsapp.console import forms, words
from opsapp.console.access import requires
from opsapp.insights import listing_people
from opsapp.staff.rules import Permission

routes = Blueprint("notifications", __name__, url_prefix="/notifications")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    """What was sent, to whom and why."""
    status = forms.choice("status", words.NOTICE, "")
    page = listing_people.list_notices(
        status=status,
        customer_id=forms.whole_number("customer"),
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "console/notifications/list.html",
        page=page,
        status=status,
        customer=forms.whole_number("customer"),
    )
