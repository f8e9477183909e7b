"""The desk of uncertain outcomes: our record beside the gateway's answer, and a person decides."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from opsapp.console import access, desk_words, errors, frame, lists
from opsapp.console.access import requires
from opsapp.console.forms import DecisionForm
from opsapp.insights import showing_uncertain
from opsapp.insights.showing_uncertain import KINDS, DeskPicture
from opsapp.kernel.errors import NotFound, OpsError
from opsapp.kernel.ids import new_ref
from opsapp.payments import deciding
from opsapp.payments.deciding import Decided, GatewayPicture
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("uncertain", __name__, url_prefix="/payments/uncertain")

Answer = str | Response | tuple[str, int]


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    return render_template(
        "console/uncertain/list.html",
        counts=showing_uncertain.count_desk(),
        tabs=desk_words.DESK_TAB,
        **lists.open_list("uncertain").values,
    )


@routes.get("/<kind>/<id:subject_id>")
@requires(Permission.VIEW)
def show(kind: str, subject_id: int) -> str:
    """`look`: without script the gateway is asked while the page is made."""
    _check(kind)
    evidence = _evidence(kind, subject_id) if request.args.get("look") else None
    return _page(kind, subject_id, evidence)


@routes.get("/<kind>/<id:subject_id>/gateway")
@requires(Permission.VIEW)
def show_gateway(kind: str, subject_id: int) -> str:
    """What the gateway says now; fetched when the page is there."""
    _check(kind)
    return _evidence(kind, subject_id)


@routes.post("/<kind>/<id:subject_id>")
@requires(Permission.DECIDE_UNCERTAIN)
def decide(kind: str, subject_id: int) -> Answer:
    """Looks again first; what has changed since the page was made is shown, not booked."""
    _check(kind)
    form = DecisionForm()
    if not form.validate_on_submit():
        return _page(kind, subject_id, _evidence(kind, subject_id, form)), 422
    try:
        deciding.decide_after_look(_decided(kind, subject_id, form), by=access.current_actor())
    except OpsError as error:
        evidence = _evidence(kind, subject_id, form, errors.told(error))
        return _page(kind, subject_id, evidence), error.http_status
    return redirect(url_for(".show", kind=kind, subject_id=subject_id))


def _check(kind: str) -> None:
    if kind not in KINDS:
        raise NotFound(noun="payment", id=kind[:20])


def _decided(kind: str, subject_id: int, form: DecisionForm) -> Decided:
    return Decided(
        request_id=form.request_id.data or "",
        subject_type=kind,
        subject_id=subject_id,
        outcome=form.outcome.data or "",
        reason=form.reason.data or "",
        evidence=form.evidence.data or "",
        seen=form.seen.data or "",
        gateway_key=form.gateway_key.data or "",
    )


def _evidence(
    kind: str, subject_id: int, sent: DecisionForm | None = None, notice: str = ""
) -> Markup:
    """The gateway's answer and, for whoever may decide, the form about exactly this answer."""
    picture = deciding.look(kind, subject_id)
    return frame.fragment(
        "console/uncertain/_evidence.html",
        picture=picture,
        desk=showing_uncertain.get_subject(kind, subject_id),
        form=_form(picture, sent),
        desk_words=desk_words,
        notice=notice,
    )


def _form(picture: GatewayPicture, sent: DecisionForm | None) -> DecisionForm:
    """What was written stays; the fingerprint is that of what is shown now."""
    if sent is None:
        return DecisionForm(formdata=None, request_id=new_ref("req"), seen=picture.fingerprint)
    sent.seen.data = picture.fingerprint
    return sent


def _page(kind: str, subject_id: int, evidence: str | None) -> str:
    desk = showing_uncertain.get_subject(kind, subject_id)
    return render_template(
        "console/uncertain/detail.html",
        desk=desk,
        evidence=evidence,
        desk_words=desk_words,
        names=staff.names_of_actors(_actors(desk)),
    )


def _actors(desk: DeskPicture) -> set[Any]:
    return {entry.actor for entry in desk.turns} | {one.decided_by for one in desk.decisions}
