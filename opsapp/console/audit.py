from dataclasses import asdict

from flask import Blueprint, render_template, request

from opsapp.console import access, lists
from opsapp.console.access import requires
from opsapp.insights import reading_log
from opsapp.kernel import clock
from opsapp.kernel.db import transaction
from opsapp.kernel.log import Entry, record
from opsapp.staff.rules import Permission

routes = Blueprint("audit", __name__, url_prefix="/audit")


@routes.get("/")
@requires(Permission.READ_LOG)
def show_list() -> str:
    """Reading the log is itself an entry, in a transaction of its own (PCI DSS 10.2.1.3)."""
    wish = reading_log.read_wish(request.args)
    asked = {name: str(value) for name, value in asdict(wish).items() if value}
    moment = clock.now()
    with transaction():
        clock.keep(moment)  # of the page
        entry = Entry("audit_log.viewed", "audit_log", 0, detail=asked)
        record(entry, by=access.current_actor())
    opened = lists.open_list("audit")
    return render_template(
        "console/audit/list.html",
        frame=opened.frame,
        wish=opened.wish,
        page=opened.page,
        seal=reading_log.last_seal_of(opened.page),
        names=reading_log.names_of(opened.page),
    )
