from dataclasses import asdict

from flask import Blueprint, render_template, request

from opsapp.console import access, forms, words
from opsapp.console.access import requires
from opsapp.insights import reading_log
from opsapp.insights.reading_log import LogWish
from opsapp.kernel.db import transaction
from opsapp.kernel.log import Entry, record
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("audit", __name__, url_prefix="/audit")


@routes.get("/")
@requires(Permission.READ_LOG)
def show_list() -> str:
    """Reading the log is itself an entry, in a transaction of its own (PCI DSS 10.2.1.3)."""
    wish = LogWish(
        actor=forms.text("actor"),
        action=forms.text("action"),
        subject_type=forms.choice("subject", words.SUBJECT, ""),
        subject_id=forms.whole_number("number"),
        only_refused=forms.choice("refused", ("yes",), "") == "yes",
        since=forms.day("since"),
        until=forms.day("until"),
    )
    asked = {name: str(value) for name, value in asdict(wish).items() if value}
    with transaction():
        entry = Entry("audit_log.viewed", "audit_log", 0, detail=asked)
        record(entry, by=access.current_actor())
    page = reading_log.list_entries(wish, cursor=request.args.get("cursor"))
    return render_template(
        "console/audit/list.html",
        page=page,
        wish=wish,
        seal=reading_log.find_last_seal(),
        names=staff.names_of_actors(row.actor for row in page.rows),
    )
