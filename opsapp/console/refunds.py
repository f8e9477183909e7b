"""Give money back: a form, a review of what will happen, then the live progress.

A deposit goes back to a bank account: the panel then asks for it, or shows what is in its way.
"""

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from opsapp.approvals import queries as approvals
from opsapp.console import (
    access,
    approval_words,
    case_words,
    desk_words,
    errors,
    forms,
    frame,
    lists,
    words,
)
from opsapp.console.access import requires
from opsapp.console.forms import AccountForm, NoteForm, RefundForm, ReturnForm
from opsapp.insights import listing_refunds, previewing_refunds, showing_payments
from opsapp.kernel import jobs
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import (
    asking_accounts,
    finding_refunds,
    inquiring,
    refunding,
    withdrawing_refunds,
)
from opsapp.payments.errors import BeingAsked, NotRefundable
from opsapp.payments.limiting import RefundLimits, limits_of
from opsapp.payments.states import REFUNDABLE, RefundStatus
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("refunds", __name__)

# In these the machine does nothing more by itself.
ENDED = ("succeeded", "refused", "withdrawn", "needs_human", "awaiting_account")
# Seconds between two looks at a refund under way.
POLLS_S = (2, 2, 3, 5, 8, 10)
WAITS_S = 60  # for a second person

Answer = str | Response | tuple[str, int]


@routes.get("/refunds/")
@requires(Permission.VIEW)
def show_list() -> str:
    opened = lists.open_list("refunds")
    totals = listing_refunds.sum_refunds(opened.wish) if opened.page.rows else None
    return render_template(
        "console/refunds/list.html",
        frame=opened.frame,
        wish=opened.wish,
        page=opened.page,
        totals=totals,
        names=listing_refunds.names_of(opened.page),
    )


@routes.post("/payments/<id:payment_id>/refunds/review")
@requires(Permission.REFUND)
def review(payment_id: int) -> Answer:
    """Say what would happen; nothing is written."""
    payment, customer, _ = showing_payments.get_payment(payment_id)
    form = RefundForm()
    if not form.validate_on_submit():
        return _shown(payment_id, render_form(payment, form)), 422
    try:
        seen = previewing_refunds.preview(payment_id, _wish(form), by=access.current_actor())
    except BeingAsked:
        return _shown(payment_id, render_panel(payment)), 409
    except OpsError as error:
        return _conflict(payment_id, form, error)
    panel = frame.fragment(
        "console/refunds/_review.html",
        payment=payment,
        customer=customer,
        method=showing_payments.find_charged_method(payment_id),
        form=form,
        seen=seen,
        approval_words=approval_words,
    )
    return _shown(payment_id, panel)


@routes.post("/payments/<id:payment_id>/refunds")
@requires(Permission.REFUND)
def request_refund(payment_id: int) -> Answer:
    """One refund per form, however often it is sent."""
    form = RefundForm()
    payment, _customer, _ref = showing_payments.get_payment(payment_id)
    if not form.validate_on_submit():
        return _shown(payment_id, render_form(payment, form)), 422
    actor = access.current_actor()
    try:
        refund_id = refunding.request_refund_or_look(payment_id, _wish(form), by=actor)
    except BeingAsked:
        return _shown(payment_id, render_panel(payment)), 409
    except OpsError as error:
        return _conflict(payment_id, form, error)
    if not frame.is_fragment():
        return redirect(url_for("console.payments.show", payment_id=payment_id))
    return _progress(refund_id, turn=0), 202


@routes.get("/refunds/<id:refund_id>/progress")
@requires(Permission.VIEW, polled=True)
def progress(refund_id: int) -> str:
    turn = min(forms.whole_number("turn") or 0, len(POLLS_S))
    return _progress(refund_id, turn=turn)


@routes.post("/payments/<id:payment_id>/refunds/form")
@requires(Permission.REFUND)
def show_form(payment_id: int) -> Answer:
    """Back from the review with what was filled in; nothing is written."""
    payment, _customer, _ref = showing_payments.get_payment(payment_id)
    form, sent = fresh_form(payment.refundable), RefundForm()
    form.kind.data, form.amount.data = sent.kind.data, sent.amount.data
    form.reason_code.data, form.reason_text.data = sent.reason_code.data, sent.reason_text.data
    return _shown(payment_id, render_form(payment, form))


@routes.get("/payments/<id:payment_id>/refunds/panel")
@requires(Permission.REFUND, polled=True)
def show_panel(payment_id: int) -> str:
    """What can be done now, for a panel that waited for the gateway's answer."""
    payment, _customer, _ref = showing_payments.get_payment(payment_id)
    return _shown(payment_id, render_panel(payment))


@routes.post("/refunds/<id:refund_id>/account")
@requires(Permission.REFUND)
def type_account(refund_id: int) -> Answer:
    """The customer has told the account on the telephone."""
    form = AccountForm()
    if not form.validate_on_submit():
        return _account_page(refund_id, form), 422
    told = (form.bank.data or "", form.number.data or "", form.holder.data or "")
    try:
        account = asking_accounts.read_account(bank=told[0], number=told[1], holder=told[2])
        with transaction():
            asking_accounts.type_account(refund_id, account, by=access.current_actor())
    except OpsError as error:
        return _account_page(refund_id, form, errors.told(error)), error.http_status
    return _back(refund_id)


@routes.post("/refunds/<id:refund_id>/holder")
@requires(Permission.REFUND)
def confirm_holder(refund_id: int) -> Answer:
    form = NoteForm()
    if not form.validate_on_submit():
        return _account_page(refund_id, AccountForm(formdata=None), note=form), 422
    with transaction():
        reason = form.note.data or ""
        asking_accounts.confirm_holder(refund_id, reason=reason, by=access.current_actor())
    return _back(refund_id)


@routes.post("/refunds/<id:refund_id>/ask-again")
@requires(Permission.REFUND)
def ask_again(refund_id: int) -> Answer:
    """Another link to the customer."""
    with transaction():
        asking_accounts.ask_again(refund_id, by=access.current_actor())
    return _back(refund_id)


@routes.post("/refunds/<id:refund_id>/withdraw")
@requires(Permission.REFUND)
def withdraw(refund_id: int) -> Answer:
    """Of whatever was not sent yet."""
    form, refund = NoteForm(), finding_refunds.get_refund(refund_id)
    is_asked = refund.status == RefundStatus.AWAITING_ACCOUNT
    if not form.validate_on_submit() and is_asked:
        return _account_page(refund_id, AccountForm(formdata=None), note=form), 422
    if form.errors:
        return render_detail(refund.payment_id, _progress(refund_id, turn=0, note=form)), 422
    by, reason = access.current_actor(), form.note.data or ""
    act = asking_accounts.withdraw if is_asked else withdrawing_refunds.withdraw_refund
    with transaction():
        act(refund_id, reason=reason, by=by)
    return _back(refund_id)


@routes.post("/refunds/<id:refund_id>/send-now")
@requires(Permission.REFUND)
def send_now(refund_id: int) -> Answer:
    """Without the rest of the time to undo it."""
    with transaction():
        withdrawing_refunds.send_now(refund_id, by=access.current_actor())
    return _back(refund_id)


@routes.get("/refunds/returns/<id:unmatched_id>")
@requires(Permission.REFUND)
def show_return(unmatched_id: int) -> str:
    """Money that no payment wanted: how it goes back."""
    case = finding_refunds.get_unmatched(unmatched_id)
    form = ReturnForm(formdata=None, request_id=new_ref("req"), seen=str(case.amount_minor))
    return _return_page(unmatched_id, form)


@routes.post("/refunds/returns/<id:unmatched_id>")
@requires(Permission.REFUND)
def request_return(unmatched_id: int) -> Answer:
    form = ReturnForm()
    case = finding_refunds.get_unmatched(unmatched_id)
    if not form.validate_on_submit():
        return _return_page(unmatched_id, form), 422
    seen = int(form.seen.data or 0)
    amount = Money(seen, case.currency) if seen else case.amount
    form_id, reason = form.request_id.data or "", form.reason.data or ""
    wish = refunding.RefundWish(form_id, amount, seen, reason, is_by_hand=True)
    try:
        with transaction():
            refund_id = refunding.request_return(unmatched_id, wish, by=access.current_actor())
    except OpsError as error:
        return _return_page(unmatched_id, form, errors.told(error)), error.http_status
    return _back(refund_id)


def fresh_form(refundable: Money) -> RefundForm:
    """Carries the number that makes a double click one refund, and the amount seen."""
    return RefundForm(
        formdata=None,
        request_id=new_ref("req"),
        seen=str(refundable.minor),
        currency=refundable.currency,
    )


def render_panel(payment: Any, notice: str = "") -> Markup:
    """The next thing to do about refunds of this payment."""
    if (refund := finding_refunds.find_awaiting_account(payment.id)) is not None:
        return render_account(refund, notice=notice)
    if (refund := finding_refunds.find_revocable(payment.id)) is not None:
        return _progress(refund.id, turn=0)
    if inquiring.is_uncertain(payment.id):
        return frame.fragment("console/refunds/_asking.html", payment=payment, notice=notice)
    return render_form(payment, fresh_form(payment.refundable), notice)


def render_form(payment: Any, form: RefundForm, notice: str = "") -> Markup:
    is_refundable = payment.status in REFUNDABLE and payment.refundable.minor > 0
    limits = _find_limits(payment)
    return frame.fragment(
        "console/refunds/_form.html",
        payment=payment,
        form=form,
        notice=notice,
        is_refundable=is_refundable and limits is not None and not limits.is_month_over,
        limits=limits,
        reasons=words.REFUND_REASONS,
    )


def render_account(
    refund: Any,
    form: AccountForm | None = None,
    *,
    notice: str = "",
    note: NoteForm | None = None,
) -> Markup:
    """A refund that waits for a bank account: whose turn it is, and every way on."""
    return frame.fragment(
        "console/refunds/_account.html",
        refund=refund,
        form=form or AccountForm(formdata=None),
        note=note or NoteForm(formdata=None),
        banks=desk_words.REFUND_BANKS,
        notice=notice,
    )


def _wish(form: RefundForm) -> refunding.RefundWish:
    return refunding.RefundWish(
        request_id=form.request_id.data or "",
        amount=form.wished,
        seen_refundable_minor=int(form.seen.data or 0),
        reason=form.reason,
        is_by_hand=True,
    )


def _find_limits(payment: Any) -> RefundLimits | None:
    """None when its gateway is not connected any more."""
    try:
        return limits_of(payment, paid_at=payment.paid_at)
    except NotRefundable:
        return None


def _account_page(
    refund_id: int, form: AccountForm, notice: str = "", note: NoteForm | None = None
) -> str:
    refund = finding_refunds.get_refund(refund_id)
    panel = render_account(refund, form, notice=notice, note=note)
    return render_detail(refund.payment_id, panel)


def _return_page(unmatched_id: int, form: ReturnForm, notice: str = "") -> str:
    case = finding_refunds.get_unmatched(unmatched_id)
    payment, customer, _ref = showing_payments.get_payment(case.payment_id)
    return render_template(
        "console/refunds/return.html",
        case=case,
        payment=payment,
        customer=customer,
        form=form,
        notice=notice,
        limits=_find_limits(payment),
    )


def _back(refund_id: int) -> Response:
    payment_id = finding_refunds.get_refund(refund_id).payment_id
    return redirect(url_for("console.payments.show", payment_id=payment_id))


def _progress(refund_id: int, *, turn: int, note: NoteForm | None = None) -> Markup:
    refund = showing_payments.get_refund(refund_id)
    is_over = refund.status in ENDED
    return frame.fragment(
        "console/refunds/_progress.html",
        refund=refund,
        amount=Money(refund.amount_minor, refund.currency),
        is_over=is_over,
        turn=turn + 1,
        wait_s=_wait_s(refund, turn),
        approval=approvals.find_latest("refund", refund_id),
        me=str(access.current_actor()),
        left_to_undo=max(refund.due_at - frame.now(), timedelta(0)),
        told=approval_words,
        note=note,
        redis_answers=is_over or jobs.redis_answers(),
    )


def _wait_s(refund: Any, turn: int) -> int:
    """Whoever types why it shall be undone is not to lose it to a fresh panel."""
    if refund.status == RefundStatus.HELD:
        return max(int((refund.due_at - frame.now()).total_seconds()) + 2, POLLS_S[0])
    if refund.status == RefundStatus.AWAITING_APPROVAL:
        return WAITS_S
    return POLLS_S[min(turn, len(POLLS_S) - 1)]


def _conflict(payment_id: int, sent: RefundForm, error: OpsError) -> tuple[str, int]:
    """Somebody was faster, or the figures changed: a fresh form that says so, the reason kept."""
    payment, _customer, _ref = showing_payments.get_payment(payment_id)
    form = fresh_form(payment.refundable)
    form.reason_code.data, form.reason_text.data = sent.reason_code.data, sent.reason_text.data
    panel = render_form(payment, form, errors.told(error))
    return _shown(payment_id, panel), error.http_status


def _shown(payment_id: int, panel: Markup) -> str:
    """The panel alone for htmx; without script the whole page around it."""
    return panel if frame.is_fragment() else render_detail(payment_id, panel)


def render_detail(payment_id: int, panel: Markup | None = None) -> str:
    """The payment's page; `panel` stands in for the empty refund form."""
    line = forms.choice("line", showing_payments.LINES, "")
    picture = showing_payments.get_picture(payment_id, shown=line)
    payment = picture.payment
    actors = {entry.actor for entry, _times in picture.timeline}
    actors |= {refund.requested_by for refund in picture.refunds}
    return render_template(
        "console/payments/detail.html",
        picture=picture,
        names=staff.names_of_actors(actors),
        line=line,
        lines=case_words.LINE,
        note_id=new_ref("note"),
        panel=panel or render_panel(payment),
    )
