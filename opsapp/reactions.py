"""What the rooms are wired to: which tables exist, who reacts to what, which rows are swept."""

from opsapp.audit import models as audit
from opsapp.cash_receipts import asking, cancelling, models as cash_receipts
from opsapp.cash_receipts.waking import RECEIPTS
from opsapp.catalog import models as catalog
from opsapp.checkout import ending, models as checkout
from opsapp.customers import models as customers
from opsapp.customers.events import DeletionsStuck, MethodReplaced, MethodsLost, MethodsStuck
from opsapp.customers.vetoing import FindUsed
from opsapp.customers.waking import METHODS
from opsapp.failures import models as failures
from opsapp.failures.events import CodesMapped, CodesUnmapped
from opsapp.kernel import clock, jobs, leadership, log, timetable
from opsapp.kernel.events import Reactions
from opsapp.kernel.turns import Work
from opsapp.ledger import models as ledger
from opsapp.notifications import models as notifications, sending
from opsapp.notifications.waking import NOTICES
from opsapp.orders import models as orders
from opsapp.payments import models as payments
from opsapp.payments.events import (
    AnswersRecorded,
    DepositsAwaited,
    DepositsReversed,
    PaymentsFailed,
    PaymentsPaid,
    RefundAccountsAsked,
    RefundsMade,
)
from opsapp.payments.vetoing import Vetoes
from opsapp.payments.waking import ATTEMPTS, EVENTS, REFUNDS
from opsapp.routing import models as routing
from opsapp.routing.events import GatewayResumed, GatewaysPaused
from opsapp.staff import models as staff
from opsapp.subscriptions import (
    dunning,
    models as subscriptions,
    queries as subscriptions_queries,
    switching,
)
from opsapp.tickets import alarming, models as tickets, reviewing

TABLES = (
    clock, jobs, log, leadership, timetable, failures, routing, audit, staff, ledger, catalog,
    customers, notifications, tickets, payments, orders, subscriptions, checkout,
    cash_receipts,
)  # fmt: skip

REACTIONS: Reactions = {
    AnswersRecorded: [dunning.on_answers_recorded],
    PaymentsPaid: [
        dunning.on_payments_paid,
        ending.on_payments_paid,
        asking.on_payments_paid,
    ],
    PaymentsFailed: [dunning.on_payments_failed, sending.on_payments_failed],
    DepositsAwaited: [sending.on_deposits_awaited],
    DepositsReversed: [dunning.on_deposits_reversed, cancelling.on_deposits_reversed],
    RefundsMade: [sending.on_refunds_made, cancelling.on_refunds_made],
    RefundAccountsAsked: [sending.on_refund_accounts_asked],
    MethodsStuck: [dunning.on_methods_stuck],
    DeletionsStuck: [dunning.on_deletions_stuck],
    MethodsLost: [sending.on_methods_lost],
    MethodReplaced: [switching.on_method_replaced],
    CodesUnmapped: [reviewing.on_codes_unmapped],
    CodesMapped: [reviewing.on_codes_mapped],
    GatewaysPaused: [alarming.on_gateways_paused],
    GatewayResumed: [alarming.on_gateway_resumed],
}

VETOES: Vetoes = {subscriptions_queries.SUBJECT: subscriptions_queries.list_stopped}

# Whose payment methods must not be deleted.
METHOD_USERS: tuple[FindUsed, ...] = (subscriptions_queries.list_used_methods,)

WORK: tuple[Work, ...] = (ATTEMPTS, REFUNDS, EVENTS, RECEIPTS, METHODS, NOTICES)
