from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, forms, words
from opsapp.console.access import requires
from opsapp.console.forms import NoteForm
from opsapp.insights import listing_people
from opsapp.kernel.db import transaction
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.tickets import resolving

routes = Blueprint("tickets", __name__, url_prefix="/tickets")

TABS = ("unresolved", *words.TICKET, "all")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    tab = forms.choice("tab", TABS, "unresolved")
    mine = forms.choice("mine", ("yes",), "")
    page = listing_people.list_tickets(
        tab=tab,
        mine=access.visitor().account_id if mine else None,
        cursor=request.args.get("cursor"),
    )
    return render_template("console/tickets/list.html", page=page, tab=tab, tabs=TABS, mine=mine)


@routes.get("/<id:ticket_id>")
@requires(Permission.VIEW)
def show(ticket_id: int) -> str:
    return _detail(ticket_id, NoteForm(formdata=None))


@routes.post("/<id:ticket_id>/take")
@requires(Permission.WORK_TICKETS)
def take(ticket_id: int) -> Response:
    with transaction():
        resolving.take(
            ticket_id, assignee_id=access.visitor().account_id, by=access.current_actor()
        )
    return _back(ticket_id)


@routes.post("/<id:ticket_id>/resolve")
@requires(Permission.WORK_TICKETS)
def resolve(ticket_id: int) -> Response | tuple[str, int]:
    form = NoteForm()
    if not form.validate_on_submit():
        return _detail(ticket_id, form), 422
    with transaction():
        resolving.resolve(
            ticket_id, because=(form.note.data or "").strip(), by=access.current_actor()
        )
    return _back(ticket_id)


def _detail(ticket_id: int, form: NoteForm) -> str:
    ticket, customer, assignee = listing_people.get_ticket(ticket_id)
    entries = listing_people.list_entries_of("ticket", ticket_id)
    return render_template(
        "console/tickets/detail.html",
        ticket=ticket,
        customer=customer,
        assignee=assignee,
        entries=entries,
        names=staff.names_of_actors(entry.actor for entry in entries),
        form=form,
    )


def _back(ticket_id: int) -> Response:
    return redirect(
        forms.safe_next(request.form.get("next", ""), url_for(".show", ticket_id=ticket_id))
    )
