"""The consent gate: who must not be charged yet, because nobody has agreed to the price.

전자상거래법 제13조 제6항, 시행령 제20조의2: a rise of the price, and free becoming paid, need the
consumer's consent within the 30 days before the charge.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from opsapp.consents.events import ConsentsGiven
from opsapp.consents.queries import Agreement, list_agreements
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.subscriptions import finding_changes, queries, rules, skipping
from opsapp.subscriptions.finding_changes import CHANGE_SUBJECT
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.states import ChangeStatus
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

CONSENT_DAYS = 30
PRICE_CONSENTS = ("price_change",)
TRIAL_CONSENTS = ("trial_to_paid", "recurring_payment")

# Why a charge is refused.
NO_PRICE_CONSENT = "no consent to the higher price within the 30 days before"
NO_TRIAL_CONSENT = "no consent to paying after the free trial within the 30 days before"
CHANGE_UNPAID = "the difference for a change is just being paid"

CONSENT_MISSING = "consent_missing"  # reason of a ticket
_REACTION = Actor("worker", "subscriptions.gating")


def list_refused(rows: Sequence[Any], now: datetime) -> dict[int, str]:
    """Why each of these must not be charged now, by id; the others may be.

    Rows of selecting, after changing.apply_to. One look at the index of open changes; everything
    else is asked only where there is one, or a trial that has just ended.
    """
    open_ = finding_changes.list_open_changes([row.id for row in rows])
    refused = {
        id_: CHANGE_UNPAID
        for id_, change in open_.items()
        if change.status == ChangeStatus.AWAITING_PAYMENT
    }
    due = [
        open_[row.id]
        for row in rows
        if row.id in open_
        and open_[row.id].status == ChangeStatus.PLANNED
        and open_[row.id].effective_on <= rules.due_on(row, row.next_period_index)
    ]
    refused |= dict.fromkeys(list_without_consent(due, now), NO_PRICE_CONSENT)
    refused |= dict.fromkeys(_after_trial(rows, now), NO_TRIAL_CONSENT)
    return refused


def list_without_consent(changes: Sequence[SubscriptionChange], now: datetime) -> frozenset[int]:
    """Subscriptions whose change needs a consent that is not there, or too old."""
    wanting = {row.subscription_id: row.id for row in changes if row.needs_consent}
    if not wanting:
        return frozenset()
    agreed = list_agreements(sorted(wanting), PRICE_CONSENTS)
    return frozenset(
        subscription_id
        for subscription_id, change_id in wanting.items()
        if not any(
            (each.subject_type, each.subject_id) == (CHANGE_SUBJECT, change_id)
            and is_fresh(each, now)
            for each in agreed.get(subscription_id, [])
        )
    )


def is_fresh(agreement: Agreement, now: datetime) -> bool:
    """Given on one of the 30 Seoul days before today, or today."""
    return (seoul_date(now) - seoul_date(agreement.agreed_at)).days <= CONSENT_DAYS


@within_transaction
def note_refused(
    rows: Sequence[Any], refused: Mapping[int, str], *, look_again_at: datetime, by: Actor
) -> None:
    """The periods stay due and are looked at again at that moment; staff see why.

    `rows` are locked. The same ticket stays for as long as the consent is missing. A period whose
    successor is due too is given up: whoever agrees late is not asked for a year at once.
    """
    kept = [row for row in rows if row.id in refused]
    today = seoul_date(clock.now())
    over = [
        row
        for row in kept
        if refused[row.id] != CHANGE_UNPAID
        and rules.due_on(row, row.next_period_index + 1) <= today
    ]
    skipping.skip_missed_of(over, because="nobody agreed to it in time", by=by)
    waiting = {row.id for row in kept} - {row.id for row in over}
    bulk_update(
        Subscription, [{"id": id_, "next_due_at": look_again_at} for id_ in sorted(waiting)]
    )
    record_many(
        [
            Entry(
                "subscription.charge_refused",
                queries.SUBJECT,
                row.id,
                because=refused[row.id],
                detail={"period_index": row.next_period_index},
                succeeded=False,
            )
            for row in kept
        ],
        by=by,
    )
    open_tickets(
        [
            NewTicket(queries.SUBJECT, row.id, row.customer_id, CONSENT_MISSING, refused[row.id])
            for row in kept
            if refused[row.id] != CHANGE_UNPAID
        ],
        by=by,
    )


@within_transaction
def on_consents_given(event: ConsentsGiven) -> None:
    """Nobody has to call any more; the charge follows when the subscription is looked at again."""
    ids = sorted(
        {
            fact.subscription_id
            for fact in event.consents
            if fact.subscription_id is not None and fact.kind in (*PRICE_CONSENTS, *TRIAL_CONSENTS)
        }
    )
    if ids:
        because = "the customer has agreed"
        resolving.resolve_for(queries.SUBJECT, ids, CONSENT_MISSING, because=because, by=_REACTION)


def _after_trial(rows: Sequence[Any], now: datetime) -> list[int]:
    """Those whose first payment this would be after a free trial nobody wants to pay for yet."""
    tried = [row.id for row in rows if row.trial_ends_on is not None]
    first = finding_changes.list_never_charged(tried) if tried else frozenset()
    if not first:
        return []
    agreed = list_agreements(sorted(first), TRIAL_CONSENTS)
    return [
        id_ for id_ in sorted(first) if not any(is_fresh(each, now) for each in agreed.get(id_, []))
    ]
