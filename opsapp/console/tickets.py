from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors, forms, frame, ticket_page, ticket_words
from opsapp.console.access import requires
from opsapp.console.forms import NoteForm
from opsapp.console.lists import frame_of
from opsapp.insights import counting_tickets, listing_tickets
from opsapp.insights.listing_tickets import TABS
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.states import IllegalMove
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.tickets import assigning, merging, putting_off, resolving, rules, writing

routes = Blueprint("tickets", __name__, url_prefix="/tickets")

Answer = str | Response | tuple[str, int]

BECAUSE_LENGTH = range(5, 301)
SNOOZED_TO_HOUR = 9
CHOSEN_MAX = 500
ROWS = 25  # with an act in each of them; a page weighs 40 kB at most
BIGINT_DIGITS = 19
REQUEST_ID_LENGTH = range(16, 65)
_ACT = "any(take,put_back,go_on,wait,reopen,snooze,priority,hand_over,note):action"


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    wish = listing_tickets.read_wish(request.args)
    return render_template(
        "console/tickets/list.html",
        frame=frame_of("tickets"),
        page=listing_tickets.list_tickets(wish, cursor=request.args.get("cursor"), size=ROWS),
        wish=wish,
        tabs=TABS,
        me=access.visitor().account_id,
        people=staff.list_people(Permission.WORK_TICKETS),
    )


@routes.get("/workload")
@requires(Permission.LEAD_TICKETS)
def show_workload() -> str:
    """Who has how much, what is late, and what kinds of cases there are."""
    return render_template(
        "console/tickets/workload.html",
        people=counting_tickets.list_workload(frame.now()),
        reasons=counting_tickets.list_reasons(frame.now()),
    )


@routes.post("/take")
@requires(Permission.WORK_TICKETS)
def take_many() -> Response:
    """The chosen ones that nobody works on."""
    with transaction():
        resolving.take_many(
            _chosen(), assignee_id=access.visitor().account_id, by=access.current_actor()
        )
    return _to_list()


@routes.post("/assign")
@requires(Permission.LEAD_TICKETS)
def assign_many() -> Response:
    with transaction():
        assigning.assign_many(_chosen(), to=_person(), by=access.current_actor())
    return _to_list()


@routes.get("/<id:ticket_id>")
@requires(Permission.VIEW)
def show(ticket_id: int) -> str:
    return ticket_page.render(ticket_id)


@routes.post("/<id:ticket_id>/resolve")
@requires(Permission.WORK_TICKETS)
def resolve(ticket_id: int) -> Answer:
    form = NoteForm()
    if not form.validate_on_submit():
        return ticket_page.render(ticket_id, form=form), 422
    because = (form.note.data or "").strip()
    resolution = forms.text("resolution", request.form) or rules.SETTLED

    def do() -> None:
        resolving.resolve(
            ticket_id, because=because, resolution=resolution, by=access.current_actor()
        )

    return _carry_out(ticket_id, "resolve", do, form=form)


@routes.post(f"/<id:ticket_id>/<{_ACT}>")
@requires(Permission.WORK_TICKETS)
def act(ticket_id: int, action: str) -> Answer:
    note = request.form.get("text", "")
    return _carry_out(ticket_id, action, lambda: _do(ticket_id, action), note=note)


@routes.post("/<id:ticket_id>/merge")
@requires(Permission.LEAD_TICKETS)
def merge(ticket_id: int) -> Answer:
    """This one goes into the chosen one, where the work goes on."""
    into = forms.whole_number("into", request.form)
    if into is None:
        raise Invalid(field="into", reason=_("Choose a ticket."))
    try:
        with transaction():
            merging.merge(ticket_id, into=into, by=access.current_actor())
    except OpsError as error:
        return ticket_page.render(ticket_id, refusal=errors.told(error)), error.http_status
    return redirect(url_for(".show", ticket_id=into, done="merge"))


@routes.post("/<id:ticket_id>/messages/preview")
@requires(Permission.WORK_TICKETS)
def preview_message(ticket_id: int) -> Answer:
    """What the customer will read; nothing is written."""
    try:
        draft = ticket_page.read_draft(ticket_id, request.form)
    except OpsError as error:
        return _unsent(ticket_id, error)
    return ticket_page.render(ticket_id, draft=draft)


@routes.post("/<id:ticket_id>/messages/edit")
@requires(Permission.WORK_TICKETS)
def edit_message(ticket_id: int) -> Answer:
    """Back from the preview with what was written."""
    return ticket_page.render(ticket_id, draft=_draft())


@routes.post("/<id:ticket_id>/messages")
@requires(Permission.WORK_TICKETS)
def send_message(ticket_id: int) -> Answer:
    try:
        with transaction():
            writing.write_to_customer(
                ticket_id,
                request.form.get("text", ""),
                request_id=_request_id(),
                then_wait=bool(request.form.get("then_wait")),
                by=access.current_actor(),
            )
    except OpsError as error:
        return _unsent(ticket_id, error)
    return redirect(url_for(".show", ticket_id=ticket_id, done="message", _anchor="written"))


def _do(ticket_id: int, action: str) -> None:
    """The room's verb with what the form says. Raises Invalid."""
    by = access.current_actor()
    match action:
        case "take":
            resolving.take(ticket_id, assignee_id=access.visitor().account_id, by=by)
        case "put_back":
            resolving.put_back(ticket_id, by=by)
        case "go_on":
            putting_off.go_on(ticket_id, by=by)
        case "wait":
            putting_off.wait_for_customer(ticket_id, because=putting_off.ASKED, by=by)
        case "reopen":
            resolving.reopen(ticket_id, because=_because(), by=by)
        case "snooze":
            putting_off.snooze(ticket_id, until=_morning(), by=by)
        case "priority":
            assigning.set_priority(ticket_id, forms.text("priority", request.form), by=by)
        case "hand_over":
            text, request_id = request.form.get("text", ""), _request_id()
            assigning.hand_over(ticket_id, to=_person(), note=text, request_id=request_id, by=by)
        case _:
            text = request.form.get("text", "")
            writing.write_note(ticket_id, text, request_id=_request_id(), by=by)


def _carry_out(
    ticket_id: int,
    action: str,
    do: Callable[[], None],
    *,
    note: str = "",
    form: NoteForm | None = None,
) -> Answer:
    """A refusal is told on the page, which keeps what was written."""
    try:
        with transaction():
            do()
    except OpsError as error:
        told = errors.told(error)
        return ticket_page.render(ticket_id, refusal=told, note=note, form=form), error.http_status
    except IllegalMove:
        return ticket_page.render(ticket_id, refusal=errors.changed_meanwhile(), note=note), 409
    if wanted := request.form.get("next", ""):
        frame.say(_(ticket_words.DONE[action]))
        return redirect(forms.safe_next(wanted, url_for(".show", ticket_id=ticket_id)))
    return redirect(url_for(".show", ticket_id=ticket_id, done=action))


def _unsent(ticket_id: int, error: OpsError) -> Answer:
    page = ticket_page.render(ticket_id, draft=_draft(), refusal=errors.told(error))
    return page, error.http_status


def _draft() -> ticket_page.Draft:
    return ticket_page.Draft(
        request.form.get("text", ""),
        bool(request.form.get("then_wait")),
        forms.text("request_id", request.form),
    )


def _to_list() -> Response:
    return redirect(forms.safe_next(request.form.get("next", ""), url_for(".show_list")))


def _chosen() -> list[int]:
    """Raises Invalid."""
    found = [value for value in request.form.getlist("id") if value.isascii() and value.isdigit()]
    if not found or len(found) > CHOSEN_MAX:
        raise Invalid(field="id", reason=_("Choose at least one row."))
    return [int(value) for value in found if len(value) < BIGINT_DIGITS]


def _person() -> int:
    """Raises Invalid."""
    found = forms.whole_number("to", request.form)
    if found is None:
        raise Invalid(field="to", reason=_("Choose somebody of the list."))
    return found


def _because() -> str:
    """Raises Invalid."""
    reason = " ".join(request.form.get("because", "").split())
    if len(reason) not in BECAUSE_LENGTH:
        raise Invalid(field="because", reason=_("Say why: 5 to 300 characters."))
    return reason


def _morning() -> datetime:
    """Of the chosen day. Raises Invalid."""
    day = forms.day("until", request.form)
    if day is None:
        raise Invalid(field="until", reason=_("Choose a day."))
    return seoul_midnight(day, hour=SNOOZED_TO_HOUR)


def _request_id() -> str:
    """Issued with the form. Raises Invalid."""
    found = forms.text("request_id", request.form)
    if len(found) not in REQUEST_ID_LENGTH or not found.replace("-", "").replace("_", "").isalnum():
        raise Invalid(field="request_id", reason=_("The form is damaged. Open it again."))
    return found
