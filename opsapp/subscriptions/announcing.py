"""Announcing: whoever is charged has been told of day, sum and method beforehand.

A charge that nobody was told of in time is refused by policy: it is announced at once and taken up
again as soon as the lead has passed. What the first days of an agreement bring, the agreement told.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import delete

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.db import bulk_insert, bulk_update, db, within_transaction
from opsapp.kernel.locale import current_locale, gettext
from opsapp.kernel.log import Entry, record_many
from opsapp.notifications import sending
from opsapp.notifications.events import NoticesAttempted
from opsapp.notifications.sending import NewNotice
from opsapp.recovery.queries import get_policy
from opsapp.settings import current
from opsapp.subscriptions import queries, selecting
from opsapp.subscriptions.models import AdvanceNotice, Subscription
from opsapp.subscriptions.selecting import HALF_A_DAY, Lead
from opsapp.subscriptions.states import SubscriptionStatus

BY = Actor("timetable", "subscriptions.announce_due")
SUBJECT = "advance_notice"
UPCOMING, TRIAL_ENDING = "upcoming_charge", "trial_ending"
NOTICE_KINDS = (UPCOMING, TRIAL_ENDING)

# Messages that may wait go out in the morning.
SENT_FROM, SENT_UNTIL = time(9), time(20)
_A_NIGHT = timedelta(hours=15)
_UNHEARD_AGAIN = timedelta(hours=1)  # no channel has carried it yet: look again
_METHOD_WORDS = {
    "card": "Card",
    "transfer": "Bank transfer",
    "easy_pay": "Easy pay",
    "mobile": "Mobile phone",
    "virtual_account": "Virtual account",
}


@within_transaction
def announce_due(*, limit: int = 500) -> int:
    """Tell of up to `limit` charges that come within the policy's days; returns how many were
    looked at. Call it again until it returns fewer.

    A sum or a day that has changed since is told anew, and the message about the old one is called
    back if it has not gone out. Whose method does not work is told nothing: nothing is charged.
    What is due already is left to hold_back.
    """
    now, lead = clock.now(), find_lead()
    rows = selecting.lock_unannounced(now, now + lead.told_of, lead, limit=limit)
    untold = [row for row in rows if row.told_id is None and not row.is_told]
    _announce(untold, lambda row: row.next_due_at, now=now, lead=lead)
    bulk_update(Subscription, [{"id": row.id, "is_announced": True} for row in rows])
    return len(rows)


@within_transaction
def hold_back(now: datetime, *, limit: int) -> int:
    """Refuse what is due and was not announced in time: announced now, charged after the lead.

    Returns how many. The day of the charge that stands on the subscription moves with it.
    """
    lead = find_lead()
    rows = selecting.lock_untold(now, lead, limit=limit)
    if not rows:
        return 0
    day = {row.id: _day_of_charge(row, now, lead) for row in rows}
    untold = [row for row in rows if row.told_id is None]
    _announce(untold, lambda row: day[row.id], now=now, lead=lead, is_late=True)
    moved = [{"id": row.id, "next_due_at": day[row.id], "is_announced": True} for row in rows]
    bulk_update(Subscription, moved)
    because = "it was not announced in time"
    detail = {row.id: {"period_index": row.next_period_index} for row in rows}
    record_many(
        [
            Entry(
                "subscription.charge_held_back",
                queries.SUBJECT,
                row.id,
                because=because,
                detail=detail[row.id],
            )
            for row in rows
        ],
        by=BY,
    )
    return len(rows)


@within_transaction
def announce_missing(last_index: Mapping[int, int]) -> datetime:
    """Tell of all periods of these subscriptions from the next up to that index, to be charged on
    one day; returns its moment. The rows are locked by the caller.
    """
    now, lead = clock.now(), find_lead()
    rows = selecting.list_announced(sorted(last_index))
    missing = [
        SimpleNamespace(**{**row._mapping, "next_period_index": index})
        for row in rows
        for index in range(row.next_period_index, last_index[row.id] + 1)
    ]
    together = _by_daylight(now) + lead.lead + _UNHEARD_AGAIN if lead.lead else now
    _announce(missing, lambda row: together, now=now, lead=lead, is_late=True)
    return together


@within_transaction
def on_notices_attempted(event: NoticesAttempted) -> None:
    """A channel was asked to carry them, or the customer has none: both count, the first time."""
    told = {
        fact.subject_id: fact.at for fact in reversed(event.notices) if fact.subject_type == SUBJECT
    }
    unheard = selecting.lock_unheard(sorted(told)) if told else []
    bulk_update(AdvanceNotice, [{"id": id_, "attempted_at": told[id_]} for id_ in unheard])


def find_lead() -> Lead:
    """By the policy in force. A demo or test installation asks for no hours between the message
    and the charge, because its clock jumps; that a channel was asked first holds there too.
    """
    policy = get_policy()
    hours = policy.notice_lead_hours if current().mode == "production" else 0
    return Lead(timedelta(hours=hours), timedelta(days=policy.notice_days))


def method_label(row: Any) -> str:
    """As the customer knows it: issuer and masked number, or the kind in their language."""
    if row.label:
        return str(row.label)
    token = current_locale.set(row.locale)
    try:
        word = gettext(_METHOD_WORDS.get(row.kind, row.kind))
    finally:
        current_locale.reset(token)
    return f"{word} **** {row.last4}" if row.last4 else word


def _announce(
    rows: Sequence[Any],
    day: Callable[[Any], datetime],
    *,
    now: datetime,
    lead: Lead,
    is_late: bool = False,
) -> None:
    if not rows:
        return
    _call_back([(row.id, row.next_period_index) for row in rows])
    written = bulk_insert(
        AdvanceNotice,
        [
            {
                "subscription_id": row.id,
                "period_index": row.next_period_index,
                "due_at": day(row),
                "amount_minor": row.amount_minor,
                "currency": row.currency,
                "payment_method_id": row.payment_method_id,
                "is_late": is_late,
            }
            for row in rows
        ],
        returning=("subscription_id", "period_index", "id"),
        or_nothing=True,
    )
    id_of = {(row.subscription_id, row.period_index): row.id for row in written}
    notices = [
        _notice(row, id_of[key], day(row), now=now, lead=lead)
        for row in rows
        if (key := (row.id, row.next_period_index)) in id_of
    ]
    sending.queue_notices(notices, by=BY)


def _call_back(periods: Sequence[tuple[int, int]]) -> None:
    """What no channel has carried yet was never announced: it is forgotten with its message."""
    older = selecting.list_untold_before(periods)
    if not older:
        return
    because = "another sum or day was announced"
    sending.revoke(NOTICE_KINDS, SUBJECT, older, because=because, by=BY)
    forgotten = delete(AdvanceNotice).where(AdvanceNotice.id.in_(older))
    db.session.execute(forgotten, execution_options={"synchronize_session": False})


def _notice(row: Any, notice_id: int, day: datetime, *, now: datetime, lead: Lead) -> NewNotice:
    values = {
        "plan": row.plan_name,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "charge_on": clock.seoul_date(day).isoformat(),
        "link_subject": {"type": queries.SUBJECT, "id": row.id},
    }
    is_trial = row.status == SubscriptionStatus.TRIALING
    if not is_trial:
        values["method_label"] = method_label(row)
    return NewNotice(
        TRIAL_ENDING if is_trial else UPCOMING,
        SUBJECT,
        notice_id,
        row.customer_id,
        values,
        not_before=_when_to_send(row, day, now=now, lead=lead),
    )


def _when_to_send(row: Any, day: datetime, *, now: datetime, lead: Lead) -> datetime:
    """Days before the charge, after the charge before it, by daylight; now, if that is too late."""
    told_of = lead.told_of
    if (length := _length(row)) is not None:
        # Never so late that daylight and the lead have no room before it.
        least = _lead_of(row, lead) + _A_NIGHT
        told_of = min(told_of, max(length - timedelta(days=1), least))
    wanted = _by_daylight(max(day - told_of, now))
    in_time = wanted <= now or wanted + _lead_of(row, lead) + _UNHEARD_AGAIN <= day
    return wanted if in_time and lead.lead else now


def _by_daylight(moment: datetime) -> datetime:
    local = moment.astimezone(SEOUL)
    if SENT_FROM <= local.time() < SENT_UNTIL:
        return moment
    day = local.date() + timedelta(days=local.time() >= SENT_UNTIL)
    return datetime.combine(day, SENT_FROM, SEOUL)


def _day_of_charge(row: Any, now: datetime, lead: Lead) -> datetime:
    """When a charge that was held back may come."""
    needed = _lead_of(row, lead)
    if row.told_at is not None:
        later: datetime = row.told_at + needed
        return later
    if row.told_id is not None:
        return now + _UNHEARD_AGAIN
    if not needed:
        due: datetime = row.next_due_at
        return due
    return _by_daylight(now) + needed + _UNHEARD_AGAIN


def _lead_of(row: Any, lead: Lead) -> timedelta:
    if row.interval == "day":
        return min(lead.lead, int(row.interval_count) * HALF_A_DAY)
    return lead.lead


def _length(row: Any) -> timedelta | None:
    """Of a rhythm in days; months are longer than any notice."""
    days = {"day": 1, "week": 7}.get(row.interval)
    return timedelta(days=days * row.interval_count) if days else None
