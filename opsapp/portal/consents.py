"""A higher price, or the end of a free trial: read, then agree or leave. Nothing is pre-ticked."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired, Regexp

from opsapp.consents.errors import TextChanged
from opsapp.customers.linking import open_link
from opsapp.insights import showing_subscriptions as showing
from opsapp.insights.showing_subscriptions import Picture
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.states import IllegalMove
from opsapp.portal import frame, subscription_words as words
from opsapp.portal.frame import public
from opsapp.subscriptions import asking_consent, cancelling
from opsapp.subscriptions.asking_consent import PURPOSE
from opsapp.subscriptions.errors import ChangedMeanwhile

routes = Blueprint("portal_consents", __name__, url_prefix="/my/consent")

Answer = str | Response | tuple[str, int]


class AgreeForm(FlaskForm):
    """`seen` is the hash of the words that were on the screen."""

    agree = BooleanField(validators=[InputRequired("Tick the box if you agree.")])
    seen = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-f]{64}\Z")])


@routes.get("/<token>")
@public
def show(token: str) -> Answer:
    picture = _open(token)
    return _page(token, picture, AgreeForm(formdata=None))


@routes.post("/<token>")
@public
def agree(token: str) -> Answer:
    picture, form = _open(token), AgreeForm()
    if not form.validate_on_submit():
        return _page(token, picture, form), 422
    subscription_id, seen = picture.subscription_id, form.seen.data or ""
    by, locale = _by(picture), picture.locale
    try:
        with transaction():
            asking_consent.agree(token, subscription_id, seen_hash=seen, locale=locale, by=by)
    except TextChanged as error:
        return _page(token, picture, AgreeForm(formdata=None), notice=error.message), 409
    return redirect(url_for(".show", token=token, done="agreed"), 303)


@routes.get("/<token>/decline")
@public
def ask_decline(token: str) -> Answer:
    picture = _open(token)
    preview = cancelling.preview_cancel(picture.subscription_id, at_period_end=True)
    return render_template(
        "portal/consents/decline.html", **_values(token, picture), preview=preview
    )


@routes.post("/<token>/decline")
@public
def decline(token: str) -> Answer:
    picture = _open(token)
    with transaction():
        cancelling.cancel_at_period_end(
            picture.subscription_id, because=words.DECLINED, by=_by(picture)
        )
    return redirect(url_for(".show", token=token, done="declined"), 303)


@routes.errorhandler(OpsError)
def refuse(error: OpsError) -> tuple[str, int]:
    return frame.refused(error)


@routes.errorhandler(IllegalMove)
def refuse_move(_error: IllegalMove) -> tuple[str, int]:
    return frame.refused(ChangedMeanwhile())


def _open(token: str) -> Picture:
    """Raises LinkUnknown, the same whatever is wrong with it, and TooManyLinks."""
    link = open_link(token, purpose=PURPOSE, address=request.remote_addr or "")
    with transaction():
        picture = showing.picture(showing.find_subscription_of(link))
    frame.speak(picture.locale)
    return picture


def _page(token: str, picture: Picture, form: AgreeForm, *, notice: str = "") -> str:
    with transaction():
        question = asking_consent.find_question(picture.subscription_id, locale=picture.locale)
        today = seoul_date(clock.now())
    values = _values(token, picture) | {
        "form": form,
        "notice": notice,
        "question": question,
        "is_early": question is not None and today < question.asked_from,
        "is_done": request.args.get("done", "") in ("agreed", "declined"),
    }
    return render_template("portal/consents/page.html", **values)


def _values(token: str, picture: Picture) -> dict[str, Any]:
    return {"token": token, "picture": picture, "say": words}


def _by(picture: Picture) -> Actor:
    return Actor("customer", str(picture.customer_id))
