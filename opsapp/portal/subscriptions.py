"""A customer's own page for one subscription: look, pause, cancel, take it back.

The link stays good for its whole life: each act is a form, and says what is true afterwards.
"""

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import DateField, HiddenField, RadioField
from wtforms.validators import InputRequired, Optional, Regexp, ValidationError

from opsapp.consents import queries as consents, withdrawing
from opsapp.customers.linking import Link, issue_link, open_link
from opsapp.insights import showing_subscriptions as showing
from opsapp.insights.showing_subscriptions import Picture
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction, within_transaction
from opsapp.kernel.errors import NotFound, OpsError
from opsapp.kernel.states import IllegalMove
from opsapp.portal import frame, subscription_words as words
from opsapp.portal.frame import public
from opsapp.subscriptions import asking_consent, cancelling, pausing
from opsapp.subscriptions.asking_consent import Question
from opsapp.subscriptions.cancelling import CancelPreview
from opsapp.subscriptions.errors import ChangedMeanwhile
from opsapp.subscriptions.pausing import OpenRetries

routes = Blueprint("portal_subscriptions", __name__, url_prefix="/my/subscription")

PURPOSE = "subscription"
PAUSE_MAX = timedelta(days=180)
ONWARD = timedelta(hours=1)  # life of a link from here to a page of another purpose
WHEN: list[Any] = ["period_end", "now"]

Answer = str | Response | tuple[str, int]


class PauseForm(FlaskForm):
    """Without a day it stands still until somebody resumes it."""

    until = DateField(validators=[Optional()])

    def validate_until(self, field: DateField) -> None:
        if field.errors or field.data is None:
            return
        today = seoul_date(clock.now())
        if not today < field.data <= today + PAUSE_MAX:
            raise ValidationError(words.NO_DAY)


class CancelForm(FlaskForm):
    when = RadioField(choices=WHEN, validators=[InputRequired(message="Choose when it ends.")])


class WithdrawForm(FlaskForm):
    consent_id = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,18}\Z")])


@routes.get("/<token>")
@public
def show(token: str) -> Answer:
    _link, picture = _open(token)
    done = request.args.get("done", "")
    return _page(token, picture, done=done if done in words.DONE else "")


@routes.get("/<token>/pause")
@public
def ask_pause(token: str) -> Answer:
    _link, picture = _open(token)
    return _pause_page(token, picture, PauseForm(formdata=None))


@routes.post("/<token>/pause")
@public
def pause(token: str) -> Answer:
    _link, picture = _open(token)
    form = PauseForm()
    if not form.validate_on_submit():
        form.until.errors = [words.NO_DAY]
        return _pause_page(token, picture, form), 422
    pause_until(picture, form.until.data, by=_by(picture))
    return _done(token, "paused")


@routes.post("/<token>/resume")
@public
def resume(token: str) -> Answer:
    _link, picture = _open(token)
    let_go_on(picture, by=_by(picture))
    return _done(token, "resumed")


@routes.get("/<token>/cancel")
@public
def ask_cancel(token: str) -> Answer:
    _link, picture = _open(token)
    return _cancel_page(token, picture, CancelForm(formdata=None))


@routes.post("/<token>/cancel")
@public
def cancel(token: str) -> Answer:
    _link, picture = _open(token)
    form = CancelForm()
    if not form.validate_on_submit():
        return _cancel_page(token, picture, form), 422
    with transaction():
        done = cancel_as_wished(picture, form.when.data or "", by=_by(picture))
    return _done(token, done)


@routes.post("/<token>/keep")
@public
def keep(token: str) -> Answer:
    _link, picture = _open(token)
    with transaction():
        cancelling.keep(picture.subscription_id, by=_by(picture))
    return _done(token, "kept")


@routes.post("/<token>/method")
@public
def change_method(token: str) -> Answer:
    """Onward by a short link of its own: this one opens no page of another purpose."""
    link, picture = _open(token)
    onward = _issue(link, picture, "payment_method")
    return redirect(url_for("portal_payment_methods.show", token=onward), 303)


@routes.post("/<token>/agree")
@public
def agree(token: str) -> Answer:
    link, picture = _open(token)
    onward = _issue(link, picture, asking_consent.PURPOSE)
    return redirect(url_for("portal_consents.show", token=onward), 303)


@routes.get("/<token>/consents")
@public
def show_consents(token: str) -> Answer:
    _link, picture = _open(token)
    rows = consents.list_of_customer(picture.customer_id, subscription_id=picture.subscription_id)
    return render_template(
        "portal/subscriptions/consents.html", **_values(token, picture), rows=rows
    )


@routes.post("/<token>/consents")
@public
def withdraw(token: str) -> Answer:
    _link, picture = _open(token)
    form = WithdrawForm()
    if not form.validate_on_submit():
        raise NotFound(noun="consent", id="")
    with transaction():
        consent = consents.get_consent(int(form.consent_id.data or 0))
        if consent.subscription_id != picture.subscription_id:
            raise NotFound(noun="consent", id=consent.id)
        by = _by(picture)
        withdrawing.withdraw(consent.id, because=words.ASKED, channel="link", by=by)
    return _done(token, "withdrawn")


@routes.errorhandler(OpsError)
def refuse(error: OpsError) -> tuple[str, int]:
    return frame.refused(error)


@routes.errorhandler(IllegalMove)
def refuse_move(_error: IllegalMove) -> tuple[str, int]:
    return frame.refused(ChangedMeanwhile())


def _open(token: str) -> tuple[Link, Picture]:
    """Raises LinkUnknown, the same whatever is wrong with it, and TooManyLinks."""
    link = open_link(token, purpose=PURPOSE, address=request.remote_addr or "")
    with transaction():
        picture = showing.picture(showing.find_subscription_of(link))
    frame.speak(picture.locale)
    return link, picture


def pause_until(picture: Picture, until: date | None, *, by: Actor) -> None:
    # Who pauses for a minute would else go on without having paid.
    retries = OpenRetries.KEEP if picture.is_behind else OpenRetries.WITHDRAW
    subscription_id, because = picture.subscription_id, words.ASKED
    with transaction():
        pausing.pause(subscription_id, until=until, open_retries=retries, because=because, by=by)


def let_go_on(picture: Picture, *, by: Actor) -> None:
    """A second click finds nothing left to lift. Raises ChangedMeanwhile."""
    if picture.may_resume:
        with transaction():
            pausing.resume(picture.subscription_id, by=by)
    elif picture.causes:
        raise ChangedMeanwhile


@within_transaction
def cancel_as_wished(picture: Picture, when: str, *, by: Actor) -> str:
    """What the page says then: a charge that is at the gateway already may still go through."""
    because = words.ASKED
    if when == "period_end":
        cancelling.cancel_at_period_end(picture.subscription_id, because=because, by=by)
        return "ending"
    stopped = cancelling.cancel(picture.subscription_id, because=because, by=by)
    return "cancelled_in_flight" if stopped.in_flight else "cancelled"


def _issue(link: Link, picture: Picture, purpose: str) -> str:
    with transaction():
        return issue_link(
            link.customer_id,
            purpose=purpose,
            subject_type="subscription",
            subject_id=picture.subscription_id,
            life=ONWARD,
            by=_by(picture),
        )


@within_transaction
def find_question(picture: Picture) -> Question | None:
    """What the customer may agree to today."""
    question = asking_consent.find_question(picture.subscription_id, locale=picture.locale)
    is_open = question is not None and question.is_open(seoul_date(clock.now()))
    return question if is_open else None


def preview_cancels(picture: Picture) -> dict[str, CancelPreview]:
    now = cancelling.preview_cancel(picture.subscription_id, at_period_end=False)
    late = cancelling.preview_cancel(picture.subscription_id, at_period_end=True, going=now.going)
    return {"now": now, "period_end": late}


def _page(token: str, picture: Picture, *, done: str) -> str:
    with transaction():
        question = find_question(picture)
    values = _values(token, picture) | {"done": done, "question": question}
    return render_template("portal/subscriptions/page.html", **values)


def _pause_page(token: str, picture: Picture, form: PauseForm) -> str:
    today = seoul_date(clock.now())
    values = _values(token, picture) | {
        "form": form,
        "first": today + timedelta(days=1),
        "last": today + PAUSE_MAX,
        "preview": pausing.preview_pause(picture.subscription_id),
    }
    return render_template("portal/subscriptions/pause.html", **values)


def _cancel_page(token: str, picture: Picture, form: CancelForm) -> str:
    values = _values(token, picture) | {"form": form, "previews": preview_cancels(picture)}
    return render_template("portal/subscriptions/cancel.html", **values)


def _values(token: str, picture: Picture) -> dict[str, Any]:
    return {"here": {"token": token}, "picture": picture, "say": words}


def _done(token: str, what: str) -> Response:
    return redirect(url_for(".show", token=token, done=what), 303)


def _by(picture: Picture) -> Actor:
    return Actor("customer", str(picture.customer_id))
