"""What the rooms are wired to: which tables exist, who reacts to what, which rows are swept."""

from opsapp.audit import models as audit
from opsapp.bulk import models as bulk
from opsapp.bulk.waking import BULK_JOBS
from opsapp.cash_receipts import asking, cancelling, models as cash_receipts
from opsapp.cash_receipts.waking import RECEIPTS
from opsapp.catalog import models as catalog
from opsapp.checkout import ending, models as checkout
from opsapp.consents import models as consents
from opsapp.consents.events import ConsentsGiven, ConsentWithdrawn
from opsapp.customers import models as customers, replacing
from opsapp.customers.events import (
    DeletionsStuck,
    MethodReplaced,
    MethodsIssued,
    MethodsLost,
    MethodsStuck,
)
from opsapp.customers.vetoing import FindUsed
from opsapp.customers.waking import METHODS
from opsapp.failures import models as failures
from opsapp.failures.events import CodesMapped, CodesUnmapped
from opsapp.kernel import clock, jobs, leadership, log, timetable
from opsapp.kernel.events import Reactions
from opsapp.kernel.turns import Work
from opsapp.ledger import models as ledger
from opsapp.notifications import models as notifications, sending
from opsapp.notifications.events import NoticesAttempted
from opsapp.notifications.waking import NOTICES
from opsapp.orders import models as orders
from opsapp.payments import models as payments
from opsapp.payments.events import (
    AnswersRecorded,
    DepositsAwaited,
    DepositsReversed,
    MoneyUnmatched,
    PaymentsFailed,
    PaymentsPaid,
    RefundAccountsAsked,
    RefundsMade,
)
from opsapp.payments.vetoing import Vetoes
from opsapp.payments.waking import ATTEMPTS, EVENTS, REFUNDS
from opsapp.recovery import models as recovery
from opsapp.routing import models as routing
from opsapp.routing.events import GatewayResumed, GatewaysPaused
from opsapp.staff import models as staff
from opsapp.subscriptions import (
    announcing,
    changing,
    dunning,
    finding_changes,
    gating,
    heeding_consent,
    models as subscriptions,
    queries as subscriptions_queries,
    switching,
    undoing,
)
from opsapp.tickets import alarming, models as tickets, reviewing

TABLES = (
    clock, jobs, log, leadership, timetable, failures, routing, audit, staff, ledger, catalog,
    customers, notifications, tickets, payments, orders, recovery, subscriptions,
    checkout, consents, cash_receipts, bulk,
)  # fmt: skip

REACTIONS: Reactions = {
    AnswersRecorded: [dunning.on_answers_recorded],
    PaymentsPaid: [
        dunning.on_payments_paid,
        undoing.on_payments_paid,
        changing.on_payments_paid,
        ending.on_payments_paid,
        asking.on_payments_paid,
        sending.on_payments_paid,
    ],
    PaymentsFailed: [
        sending.on_payments_failed,
        dunning.on_payments_failed,  # may call back what was just queued
        changing.on_payments_failed,
    ],
    DepositsAwaited: [sending.on_deposits_awaited],
    DepositsReversed: [dunning.on_deposits_reversed, cancelling.on_deposits_reversed],
    RefundsMade: [sending.on_refunds_made, cancelling.on_refunds_made],
    RefundAccountsAsked: [sending.on_refund_accounts_asked],
    MoneyUnmatched: [undoing.on_money_unmatched],
    NoticesAttempted: [announcing.on_notices_attempted],
    MethodsIssued: [replacing.on_methods_issued],
    MethodsStuck: [dunning.on_methods_stuck],
    DeletionsStuck: [dunning.on_deletions_stuck],
    MethodsLost: [sending.on_methods_lost],
    MethodReplaced: [switching.on_method_replaced],
    ConsentsGiven: [gating.on_consents_given],
    ConsentWithdrawn: [heeding_consent.on_consent_withdrawn],
    CodesUnmapped: [reviewing.on_codes_unmapped],
    CodesMapped: [reviewing.on_codes_mapped],
    GatewaysPaused: [alarming.on_gateways_paused],
    GatewayResumed: [alarming.on_gateway_resumed],
}

VETOES: Vetoes = {
    subscriptions_queries.SUBJECT: subscriptions_queries.list_stopped,
    finding_changes.CHANGE_SUBJECT: finding_changes.list_unwanted_changes,
}

# Whose payment methods must not be deleted.
METHOD_USERS: tuple[FindUsed, ...] = (subscriptions_queries.list_used_methods,)

WORK: tuple[Work, ...] = (ATTEMPTS, REFUNDS, EVENTS, RECEIPTS, METHODS, NOTICES, BULK_JOBS)
