"""What the rooms are wired to: which tables exist, who reacts to what, which rows are swept."""

from opsapp.approvals import models as approvals
from opsapp.approvals.events import ApprovalBypassed, ApprovalsEnded, ApprovalsGranted
from opsapp.audit import models as audit
from opsapp.bulk import beginning as bulk_beginning, models as bulk
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
    SignInsAsked,
)
from opsapp.customers.vetoing import FindUsed
from opsapp.customers.waking import METHODS
from opsapp.exports import models as exports
from opsapp.exports.waking import EXPORTS
from opsapp.failures import models as failures
from opsapp.failures.events import CodesMapped, CodesUnmapped
from opsapp.kernel import clock, jobs, leadership, log, timetable
from opsapp.kernel.events import Reactions
from opsapp.kernel.turns import Work
from opsapp.ledger import models as ledger
from opsapp.notifications import models as notifications, sending
from opsapp.notifications.events import NoticesAttempted
from opsapp.notifications.waking import NOTICES
from opsapp.orders import following, following_refunds, models as orders, settling
from opsapp.orders.events import LegsPaid, LegsReleased, LegsReopened, OrderRefunded
from opsapp.payments import models as payments, withdrawing_refunds
from opsapp.payments.events import (
    AnswersRecorded,
    DepositsAwaited,
    DepositsReversed,
    MoneyUnmatched,
    PaymentsFailed,
    PaymentsPaid,
    RefundAccountsAsked,
    RefundsMade,
    RefundsReleased,
)
from opsapp.payments.vetoing import Vetoes
from opsapp.payments.waking import ATTEMPTS, EVENTS, REFUNDS
from opsapp.points import models as points
from opsapp.points.events import PointsExpiring
from opsapp.programs import models as programs
from opsapp.recovery import models as recovery
from opsapp.routing import models as routing
from opsapp.routing.events import GatewayResumed, GatewaysPaused
from opsapp.settlement import models as settlement, reversing, sharing
from opsapp.shop_events import models as shop_events
from opsapp.shop_events.waking import SENDINGS
from opsapp.staff import models as staff
from opsapp.subscriptions import (
    announcing,
    beginning,
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
from opsapp.tickets import alarming, clearing, models as tickets, reviewing

TABLES = (
    clock, jobs, log, leadership, timetable, failures, routing, audit, staff, ledger, catalog,
    points, customers, notifications, tickets, payments, orders, recovery, subscriptions,
    checkout, consents, cash_receipts, bulk, settlement, programs, shop_events, approvals, exports,
)  # fmt: skip

REACTIONS: Reactions = {
    AnswersRecorded: [
        settling.on_answers_recorded,
        dunning.on_answers_recorded,
        settling.lock_points,
    ],
    PaymentsPaid: [
        settling.on_payments_paid,  # legs before subscriptions
        dunning.on_payments_paid,
        undoing.on_payments_paid,
        changing.on_payments_paid,
        asking.on_payments_paid,
        sending.on_payments_paid,
        sharing.on_payments_paid,
    ],
    PaymentsFailed: [
        sending.on_payments_failed,
        dunning.on_payments_failed,  # may call back what was just queued
        changing.on_payments_failed,
        following.on_payments_failed,
        reversing.on_payments_failed,
    ],
    DepositsAwaited: [sending.on_deposits_awaited],
    DepositsReversed: [
        settling.on_deposits_reversed,
        dunning.on_deposits_reversed,
        cancelling.on_deposits_reversed,
        reversing.on_deposits_reversed,
    ],
    RefundsMade: [
        sending.on_refunds_made,
        cancelling.on_refunds_made,
        following_refunds.on_refunds_made,
        reversing.on_refunds_made,
    ],
    ApprovalsGranted: [withdrawing_refunds.on_approvals_granted, bulk_beginning.on_granted],
    ApprovalsEnded: [withdrawing_refunds.on_approvals_ended, bulk_beginning.on_ended],
    ApprovalBypassed: [alarming.on_approval_bypassed],
    RefundsReleased: [following_refunds.on_refunds_released],
    LegsPaid: [beginning.on_legs_paid, ending.on_legs_paid, sharing.on_legs_paid],
    LegsReopened: [beginning.on_legs_reopened, reversing.on_legs_reopened],
    LegsReleased: [beginning.on_legs_released, ending.on_legs_released],
    OrderRefunded: [reversing.on_order_refunded],
    RefundAccountsAsked: [sending.on_refund_accounts_asked],
    MoneyUnmatched: [undoing.on_money_unmatched],
    NoticesAttempted: [announcing.on_notices_attempted],
    MethodsIssued: [replacing.on_methods_issued, clearing.on_methods_issued],
    MethodsStuck: [dunning.on_methods_stuck],
    DeletionsStuck: [dunning.on_deletions_stuck],
    MethodsLost: [sending.on_methods_lost],
    PointsExpiring: [sending.on_points_expiring],
    MethodReplaced: [switching.on_method_replaced, clearing.on_method_replaced],
    SignInsAsked: [sending.on_sign_ins_asked],
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

WORK: tuple[Work, ...] = (
    ATTEMPTS,
    REFUNDS,
    EVENTS,
    RECEIPTS,
    METHODS,
    NOTICES,
    BULK_JOBS,
    EXPORTS,
    SENDINGS,
)
