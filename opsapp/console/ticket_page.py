"""What the page of a ticket shows: the case, who is written to, and the act that comes next."""

from dataclasses import dataclass
from typing import Any

from flask import render_template, request, url_for
from werkzeug.datastructures import MultiDict

from opsapp.channels.base import Message
from opsapp.console import access, forms, frame, ticket_words
from opsapp.console.forms import NoteForm
from opsapp.insights import showing_tickets
from opsapp.insights.showing_tickets import TicketPicture
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.ids import new_ref
from opsapp.notifications import queries as notices
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.tickets import queries, rules, writing

_METHODS = {"registration_stuck", "deletion_stuck"}
_RENEWALS = {
    "repeated_failure", "method_unusable", "card_budget_used", "gateway_keeps_failing",
    "recovery_handed_over",
}  # fmt: skip
# Reasons that another method cures; the rest may go through when it is tried again.
_ANOTHER_METHOD = {"method_unusable", "card_budget_used"}
_CUSTOMERS = ("expired_or_suspended", "authentication_failure")


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody is writing to the customer; `message` once it was looked at."""

    text: str = ""
    then_wait: bool = False
    request_id: str = ""
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class NextAct:
    key: str
    url: str


def render(
    ticket_id: int,
    *,
    form: NoteForm | None = None,
    refusal: str = "",
    draft: Draft | None = None,
    note: str = "",
) -> str:
    picture = showing_tickets.show_ticket(ticket_id)
    macros = queries.list_macros() if access.may(Permission.WORK_TICKETS) else []
    done = request.args.get("done", "")
    actors = [e.actor for e in picture.entries] + [w.author for w in picture.written]
    return render_template(
        "console/tickets/detail.html",
        picture=picture,
        ticket=picture.ticket,
        told=_explained(picture),
        next_act=find_next_act(picture),
        notices=_notices(picture),
        names=staff.names_of_actors(actors),
        people=staff.list_people(Permission.WORK_TICKETS),
        macros=macros,
        draft=draft or _begun(picture, macros),
        note=note,
        form=form or NoteForm(formdata=None),
        refusal=refusal,
        done=ticket_words.DONE.get(done, ""),
        new_id=new_ref("msg"),
        today=seoul_date(frame.now()),
        chosen=rules.CHOSEN,
        priorities=list(rules.Priority),
        text_limit=rules.TEXT_LENGTH_MAX,
        note_limit=rules.NOTE_LENGTH_MAX,
    )


def read_draft(picture_of: int, args: MultiDict[str, str]) -> Draft:
    """What was sent, worded as the customer will read it. Raises what rules.check_text raises."""
    picture = showing_tickets.show_ticket(picture_of)
    text, customer = args.get("text", ""), picture.customer
    message = (
        writing.preview(text, name=customer.name, locale=customer.locale)
        if customer is not None
        else None
    )
    return Draft(text, bool(args.get("then_wait")), forms.text("request_id", args), message)


def find_next_act(picture: TicketPicture) -> NextAct | None:
    """By the reason of the case and, for a failed renewal, by what the failure code means."""
    ticket, payment, subscription = picture.ticket, picture.payment, picture.subscription
    if ticket.status == "resolved":
        return None
    if ticket.reason == "uncertain_attempt" and payment and payment.uncertain_attempt_id:
        return _act("decide", "uncertain.show", kind="attempt", subject_id=_attempt(payment))
    stuck = next((r for r in picture.refunds if r.status in ("needs_human", "unknown")), None)
    if ticket.reason == "refund_stuck" and stuck is not None:
        return _act("decide", "uncertain.show", kind="refund", subject_id=stuck.id)
    if ticket.reason == "unmatched_money":
        return _act("money", "deposits.show", unmatched_id=ticket.subject_id)
    if ticket.reason == "unmapped_code":
        return _act("code", "failures.review", unmapped_id=ticket.subject_id)
    if ticket.reason == "gateway_paused":
        return _act("gateways", "gateways.show")
    if ticket.reason == "webhook_disabled" and access.may(Permission.MANAGE_WEBHOOKS):
        return _act("webhooks", "shop_webhooks.show_list")
    if subscription is not None and ticket.subject_type == "subscription":
        return _of_renewal(picture, subscription)
    if payment is not None:
        return _act("payment", "payments.show", payment_id=payment.id)
    if ticket.customer_id is not None:
        return _act("customer", "customers.show", customer_id=ticket.customer_id)
    return None


def _of_renewal(picture: TicketPicture, subscription: Any) -> NextAct:
    reason, recovery_id = picture.ticket.reason, subscription.recovery_id
    if reason not in _RENEWALS or recovery_id is None:
        return _act("subscription", "subscriptions.show", subscription_id=subscription.id)
    told = _explained(picture)
    needs_another = reason in _ANOTHER_METHOD or (
        told is not None and told.failure_class in _CUSTOMERS
    )
    key, anchor = ("link", "send_link") if needs_another else ("retry", "retry")
    return _act(key, "recovery.show", recovery_id=recovery_id, _anchor=anchor)


def _act(key: str, endpoint: str, **values: Any) -> NextAct:
    return NextAct(key, url_for(f"console.{endpoint}", **values))


def _attempt(payment: Any) -> int:
    return int(payment.uncertain_attempt_id)


def _explained(picture: TicketPicture) -> Any:
    """By the code that the case names, else by that of its payment."""
    named = frame.explain_reason(picture.ticket.summary)
    if named is not None or picture.payment is None:
        return named
    return frame.explain(picture.payment.failure_code, picture.payment.gateway_name)


def _notices(picture: TicketPicture) -> dict[int, Any]:
    """How the messages to the customer fared, by message."""
    ids = [each.id for each in picture.written if each.kind == writing.CUSTOMER]
    if not ids:
        return {}
    return {notice.subject_id: notice for notice in notices.list_about(writing.KIND, ids)}


def _begun(picture: TicketPicture, macros: Any) -> Draft:
    """With the text of the macro that the address names."""
    customer = picture.customer
    wanted = request.args.get("macro", "") if request.method == "GET" else ""
    macro = next((each for each in macros if str(each.id) == wanted), None)
    if macro is None or customer is None:
        return Draft(request_id=new_ref("msg"))
    text = macro.text_ko if customer.locale == "ko" else macro.text_en
    values = showing_tickets.macro_values(picture, customer.locale)
    return Draft(rules.fill(text, values), request_id=new_ref("msg"))
