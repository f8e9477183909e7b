"""Another plan, quantity or billing day: looked at with every figure, then confirmed."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from opsapp.catalog.queries import list_all_terms_on
from opsapp.console import access, change_words, errors, forms, frame
from opsapp.console.access import requires
from opsapp.insights import listing_subscriptions
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, NotFound, OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.staff.rules import Permission
from opsapp.subscriptions import changing, finding_changes
from opsapp.subscriptions.previewing_changes import ChangePreview, ChangeWish

routes = Blueprint("subscription_changes", __name__, url_prefix="/subscriptions")

BECAUSE_LENGTH_MAX = 200


@routes.get("/<id:subscription_id>/change")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def show(subscription_id: int) -> str | tuple[str, int]:
    """The choice, and once one is made the figures of it; nothing is written."""
    if not any(name in request.args for name in ("plan_id", "quantity", "anchor_day")):
        return _page(subscription_id)
    try:
        shown = changing.preview_change(subscription_id, _wish(request.args))
    except OpsError as error:
        return _page(subscription_id, refusal=errors.told(error)), error.http_status
    return _page(subscription_id, shown=shown)


@routes.post("/<id:subscription_id>/change")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def change(subscription_id: int) -> Response | tuple[str, int]:
    by, seen = access.current_actor(), request.form.get("seen", "")
    try:
        wish = _wish(request.form)
        _require_reason(wish.because)
        with transaction():
            change_id = changing.change(subscription_id, wish, seen=seen, by=by)
    except OpsError as error:
        return _refused(subscription_id, error)
    return _done(subscription_id, finding_changes.get_change(change_id).status)


@routes.post("/<id:subscription_id>/changes/<id:change_id>/withdraw")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def withdraw(subscription_id: int, change_id: int) -> Response | tuple[str, int]:
    because = _because(request.form)
    try:
        _require_reason(because)
        with transaction():
            if finding_changes.get_change(change_id).subscription_id != subscription_id:
                raise NotFound(noun="change", id=change_id)
            changing.withdraw_change(change_id, because=because, by=access.current_actor())
    except OpsError as error:
        return _page(subscription_id, refusal=errors.told(error)), error.http_status
    return _done(subscription_id, "withdrawn")


def _done(subscription_id: int, status: str) -> Response:
    done = {"withdrawn": "withdrawn", "awaiting_payment": "paying"}.get(status, "changed")
    return redirect(url_for(".show", subscription_id=subscription_id, done=done))


def _refused(subscription_id: int, error: OpsError) -> tuple[str, int]:
    """With the figures of now beside the refusal, if there still are any."""
    refusal, shown = errors.told(error), None
    with suppress(OpsError):
        shown = changing.preview_change(subscription_id, _wish(request.form))
    return _page(subscription_id, refusal=refusal, shown=shown), error.http_status


def _page(subscription_id: int, *, shown: ChangePreview | None = None, refusal: str = "") -> str:
    subscription, customer, plan, method = listing_subscriptions.get_subscription(subscription_id)
    chosen = request.values
    return render_template(
        "console/subscription_changes/page.html",
        subscription=subscription,
        customer=customer,
        plan=plan,
        payment_method=method,
        plans=[
            terms
            for terms in list_all_terms_on(seoul_date(frame.now()))
            if terms.currency == subscription.currency
        ],
        changes=finding_changes.list_changes_of(subscription_id, limit=10),
        shown=shown,
        refusal=refusal,
        chosen=chosen,
        done=forms.choice("done", change_words.DONE, ""),
        told=change_words,
    )


def _wish(args: MultiDict[str, str]) -> ChangeWish:
    """Raises Invalid."""
    return ChangeWish(
        plan_id=_number("plan_id", args),
        quantity=_number("quantity", args),
        anchor_day=_number("anchor_day", args),
        when=forms.text("when", args) or "now",
        because=_because(args),
    )


def _number(name: str, args: Mapping[str, Any]) -> int | None:
    value = str(args.get(name, "")).strip().replace(",", "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise Invalid(field=name, reason=_("{value} is not a whole number.", value=value[:50]))
    return int(value)


def _require_reason(because: str) -> None:
    if not because:
        raise Invalid(field="because", reason=_("Say why."))
    if len(because) > BECAUSE_LENGTH_MAX:
        raise Invalid(field="because", reason=_("Say why, in at most 200 characters."))


def _because(args: MultiDict[str, str]) -> str:
    return " ".join(forms.text("because", args).split())
