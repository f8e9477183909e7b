"""What the rooms are wired to: which tables exist, who reacts to what, which rows are swept."""

from opsapp.audit import models as audit
from opsapp.catalog import models as catalog
from opsapp.customers import models as customers
from opsapp.customers.events import MethodsStuck
from opsapp.customers.waking import METHODS
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
    PaymentsFailed,
    PaymentsPaid,
    RefundsMade,
)
from opsapp.payments.vetoing import Vetoes
from opsapp.payments.waking import ATTEMPTS, REFUNDS
from opsapp.staff import models as staff
from opsapp.subscriptions import dunning, models as subscriptions, queries as subscriptions_queries
from opsapp.tickets import models as tickets

TABLES = (
    clock, jobs, log, leadership, timetable, audit, staff, ledger, catalog, customers,
    notifications, tickets, payments, orders, subscriptions,
)  # fmt: skip

REACTIONS: Reactions = {
    AnswersRecorded: [dunning.on_answers_recorded],
    PaymentsPaid: [dunning.on_payments_paid],
    PaymentsFailed: [dunning.on_payments_failed, sending.on_payments_failed],
    DepositsAwaited: [sending.on_deposits_awaited],
    RefundsMade: [sending.on_refunds_made],
    MethodsStuck: [dunning.on_methods_stuck],
}

VETOES: Vetoes = {subscriptions_queries.SUBJECT: subscriptions_queries.list_stopped}

WORK: tuple[Work, ...] = (ATTEMPTS, REFUNDS, METHODS, NOTICES)
