"""A customer's subscriptions: look, pause, let go on, cancel, pay what is missing, by their own
sign-in. Forms and pages are those behind the links of messages (subscriptions).
"""

from datetime import timedelta
from typing import Any

from flask import redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from opsapp.customers.linking import issue_link
from opsapp.insights import showing_my_page as mine, showing_subscriptions as showing
from opsapp.insights.showing_subscriptions import Picture
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.portal import my_access, my_home, subscription_words as words, subscriptions as shared
from opsapp.portal.my_access import by_guest, guest, shopper
from opsapp.subscriptions import asking_consent, cancelling, collecting, pausing, switching
from opsapp.subscriptions.errors import ChangedMeanwhile

routes = my_access.rooms("subscriptions", "subscriptions")

Answer = str | Response | tuple[str, int]
LAYOUT = "portal/my/_frame.html"


class MethodForm(FlaskForm):
    """`method`: the ref of one that is registered already."""

    method = StringField(validators=[InputRequired(), Length(max=64)])


@routes.get("/")
@shopper
def show_all() -> Answer:
    with transaction():
        possessions = mine.list_possessions(guest().customer_id)
    popup = my_home.popup_of(possessions.alerts)
    return my_access.page("subscriptions.html", possessions=possessions, popup=popup)


@routes.get("/<ref>/")
@shopper
def show(ref: str) -> Answer:
    with transaction():
        picture = _find(ref)
        missing = mine.find_missing(picture.subscription_id)
        question = shared.find_question(picture) if _may_be_asked(picture) else None
    return _page("page", ref, picture, missing=missing, question=question)


@routes.get("/<ref>/pause/")
@shopper
def ask_pause(ref: str) -> Answer:
    return _pause_page(ref, shared.PauseForm(formdata=None))


@routes.post("/<ref>/pause/")
@shopper
def pause(ref: str) -> Answer:
    picture, form = _open(ref), shared.PauseForm()
    if not form.validate_on_submit():
        form.until.errors = [words.NO_DAY]
        return _pause_page(ref, form), 422
    shared.pause_until(picture, form.until.data, by=by_guest())
    return _done(ref, "paused")


@routes.post("/<ref>/resume/")
@shopper
def resume(ref: str) -> Answer:
    shared.let_go_on(_open(ref), by=by_guest())
    return _done(ref, "resumed")


@routes.get("/<ref>/cancel/")
@shopper
def ask_cancel(ref: str) -> Answer:
    return _cancel_page(ref, shared.CancelForm(formdata=None))


@routes.post("/<ref>/cancel/")
@shopper
def cancel(ref: str) -> Answer:
    picture, form = _open(ref), shared.CancelForm()
    if not form.validate_on_submit():
        return _cancel_page(ref, form), 422
    with transaction():
        done = shared.cancel_as_wished(picture, form.when.data or "", by=by_guest())
    return _done(ref, done)


@routes.post("/<ref>/keep/")
@shopper
def keep(ref: str) -> Answer:
    picture = _open(ref)
    with transaction():
        cancelling.keep(picture.subscription_id, by=by_guest())
    return _done(ref, "kept")


@routes.post("/<ref>/pay/")
@shopper
def pay(ref: str) -> Answer:
    """What failed, and nothing that is not due: a second click finds it under way."""
    picture = _open(ref)
    with transaction():
        missing = mine.find_missing(picture.subscription_id)
        if missing is None:
            raise ChangedMeanwhile
        if not missing.is_tried:
            collecting.collect_now(missing.recovery_id, by=by_guest())
    return _done(ref, "charging")


@routes.get("/<ref>/method/")
@shopper
def ask_method(ref: str) -> Answer:
    with transaction():
        picture = _find(ref, brief=True)
        possessions = mine.list_possessions(guest().customer_id)
    own = next(each for each in possessions.subscriptions if each.ref == ref)
    return my_access.page(
        "method.html",
        here={"ref": ref},
        picture=picture,
        methods=possessions.methods,
        missing=own.missing,
    )


@routes.post("/<ref>/method/")
@shopper
def switch(ref: str) -> Answer:
    picture, form = _open(ref), MethodForm()
    if not form.validate_on_submit():
        return redirect(url_for(".ask_method", ref=ref), 303)
    with transaction():
        method = mine.get_method(guest().customer_id, form.method.data or "")
        switching.switch_method(picture.subscription_id, payment_method_id=method.id, by=by_guest())
    return _done(ref, "switched")


@routes.post("/<ref>/method/new/")
@shopper
def change_method(ref: str) -> Answer:
    """Onward to the page that registers one in place of the old one."""
    token = _onward(_open(ref), "payment_method")
    return redirect(url_for("portal_payment_methods.show", token=token), 303)


@routes.post("/<ref>/agree/")
@shopper
def agree(ref: str) -> Answer:
    token = _onward(_open(ref), asking_consent.PURPOSE)
    return redirect(url_for("portal_consents.show", token=token), 303)


def _open(ref: str) -> Picture:
    with transaction():
        return _find(ref)


def _find(ref: str, *, brief: bool = False) -> Picture:
    """Raises NotFound for another's as for nobody's."""
    return showing.picture(mine.get_subscription(guest().customer_id, ref).id, brief=brief)


def _may_be_asked(picture: Picture) -> bool:
    return picture.is_trial or (picture.change is not None and picture.change.needs_consent)


def _onward(picture: Picture, purpose: str) -> str:
    with transaction():
        return issue_link(
            guest().customer_id,
            purpose=purpose,
            subject_type="subscription",
            subject_id=picture.subscription_id,
            life=shared.ONWARD,
            by=by_guest(),
        )


def _page(name: str, ref: str, picture: Picture, **more: Any) -> str:
    """One of the pages that stand behind a link too, in the layout of these."""
    own = {"here": {"ref": ref}, "picture": picture, "layout": LAYOUT, "is_mine": True}
    known = my_access.values() | {"say": words} | own
    return render_template(f"portal/subscriptions/{name}.html", **(known | more))


def _pause_page(ref: str, form: shared.PauseForm) -> str:
    with transaction():
        row = mine.get_subscription(guest().customer_id, ref)  # held, so that it is read once
        picture = showing.picture(row.id, brief=True)
        preview, today = pausing.preview_pause(picture.subscription_id), seoul_date(clock.now())
    days = {"first": today + timedelta(days=1), "last": today + shared.PAUSE_MAX}
    return _page("pause", ref, picture, form=form, preview=preview, **days)


def _cancel_page(ref: str, form: shared.CancelForm) -> str:
    with transaction():
        row = mine.get_subscription(guest().customer_id, ref)  # held, so that it is read once
        picture = showing.picture(row.id, brief=True)
        previews = shared.preview_cancels(picture)
    return _page("cancel", ref, picture, form=form, previews=previews)


def _done(ref: str, what: str) -> Response:
    return redirect(url_for(".show", ref=ref, done=what), 303)
