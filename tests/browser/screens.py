"""The list of every screen: what is looked at, in pictures and for faults.

A page of the doors that stands in neither list fails test_every_screen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

CONSOLE = "/console"
SUBSCRIPTION = f"{CONSOLE}/subscriptions/{{subscription}}"
SETTINGS = f"{CONSOLE}/settings"


@dataclass(frozen=True, slots=True)
class Screen:
    """`role`: who looks, a guest being a shopper who is signed in. `keys` are pressed first."""

    name: str
    address: str
    role: str = "admin"
    keys: str = ""


_STAFF = {
    "home": "/",
    "payments": "/payments/",
    "payments-none": "/payments/?q=nothing-like-this",
    "payment-paid": "/payments/{paid}",
    "payment-partly-refunded": "/payments/{partly}",
    "payment-failed": "/payments/{failed}",
    "payment-uncertain": "/payments/{uncertain}",
    "payment-awaiting": "/payments/{awaiting}",
    "payment-account": "/payments/{awaited}",
    "payment-deposited": "/payments/{deposited}",
    "payment-transferred": "/payments/{transferred}",
    "uncertain": "/payments/uncertain/",
    "uncertain-decide": "/payments/uncertain/attempt/{stuck}?look=yes",
    "refunds": "/refunds/",
    "refunds-waiting": "/refunds/?status=awaiting_account",
    "approvals": "/approvals/",
    "approval": "/approvals/{approval}",
    "refund-return": "/refunds/returns/{case_over}",
    "orders": "/orders/",
    "order": "/orders/{order}",
    "order-new": "/orders/customers/{shopper}/links/new",
    "order-link": "/orders/links/{checkout}",
    "deposits": "/deposits/",
    "deposits-unmatched": "/deposits/?tab=unmatched",
    "deposit-over": "/deposits/{case_over}",
    "deposit-late": "/deposits/{case_late}",
    "cash-receipts": "/cash-receipts/",
    "subscriptions": "/subscriptions/",
    "subscription": "/subscriptions/{subscription}",
    "subscription-paused": "/subscriptions/{paused}",
    "subscription-cancel": "/subscriptions/{subscription}/cancel",
    "subscription-change": "/subscriptions/{subscription}/change?quantity=2&when=period_end",
    "calendar": "/subscriptions/calendar/",
    "calendar-day": "/subscriptions/calendar/day",
    "recovery-board": "/recovery/",
    "recovery-list": "/recovery/?view=list",
    "recovery": "/recovery/1",
    "recovery-retry": "/recovery/1/retry",
    "recovery-policies": "/recovery/policies/",
    "recovery-policy": "/recovery/policies/1?simulate=yes",
    "recovery-edit": "/recovery/policies/new",
    "customers": "/customers/",
    "customer": "/customers/{customer}",
    "customer-methods": "/customers/{shopper}",
    "agreements": "/customers/{agreed}/consents/",
    "points": "/points/",
    "points-customer": "/points/customers/{shopper}",
    "points-adjustments": "/points/adjustments",
    "books-open-items": "/points/books",
    "tickets": "/tickets/",
    "ticket": "/tickets/{ticket}",
    "workload": "/tickets/workload",
    "macros": "/settings/macros/",
    "macro": "/settings/macros/{macro}",
    "macro-new": "/settings/macros/new",
    "search": "/search/",
    "search-found": "/search/?q=홍길",
    "exports": "/exports/",
    "export": "/exports/{export}",
    "export-new": "/exports/new?list=payments&tab=failed",
    "notifications": "/notifications/",
    "notification": "/notifications/1",
    "notice-texts": "/notifications/templates/",
    "notice-text": "/notifications/templates/upcoming_charge/short/",
    "webhooks": "/webhooks/",
    "webhook": "/webhooks/{event}",
    "jobs": "/jobs/",
    "bulk-jobs": "/jobs/bulk/",
    "bulk-job": "/jobs/bulk/{bulk_job}",
    "runs": "/jobs/runs/",
    "run": "/jobs/runs/1",
    "run-hold": "/jobs/runs/1/pause",
    "gateways": "/settings/gateways/",
    "plans": "/settings/plans/",
    "plan": "/settings/plans/1",
    "sellers": "/settings/sellers/",
    "seller": "/settings/sellers/{seller}",
    "failure-codes": "/settings/failure-codes/",
    "failure-code": "/settings/failure-codes/{failure_code}",
    "failure-code-unknown": "/settings/failure-codes/review/{unmapped}",
    "money-policies": "/settings/money/",
    "terms": "/settings/terms/",
    "terms-kind": "/settings/terms/recurring_payment/",
    "terms-version": "/settings/terms/versions/1",
    "api-keys": "/settings/api-keys/",
    "shop-webhooks": "/settings/webhooks/",
    "shop-webhook": "/settings/webhooks/{endpoint}",
    "audit": "/audit/",
    "staff": "/staff/",
    "not-found": "/payments/999999",
}
_LINKED = {
    "sign-in": "/console/sign-in",
    "pay-choose": "/pay/{pay_choose}",
    "pay-at-window": "/pay/{pay_at_window}",
    "pay-waiting": "/pay/{pay_at_window}/result",
    "pay-checking": "/pay/{pay_checking}/result",
    "pay-paid": "/pay/{pay_paid}/result",
    "pay-failed": "/pay/{pay_failed}/result",
    "pay-deposit": "/pay/{pay_deposit}/result",
    "pay-over": "/pay/{pay_over}",
    "pay-wrong": "/pay/nobody-has-this-link",
    "refund-account": "/my/refund-account/{refund_account}",
    "link-subscription": "/my/subscription/{link_subscription}",
    "link-pause": "/my/subscription/{link_subscription}/pause",
    "link-cancel": "/my/subscription/{link_subscription}/cancel",
    "link-consents": "/my/subscription/{link_subscription}/consents",
    "link-method": "/my/payment-method/{link_payment_method}",
    "link-method-result": "/my/payment-method/{link_payment_method}/result",
    "link-consent": "/my/consent/{link_consent}",
    "link-decline": "/my/consent/{link_consent}/decline",
    "my-sign-in": "/my/sign-in/",
    "my-sign-in-sent": "/my/sign-in/sent/",
    "my-sign-in-link": "/my/sign-in/{link_sign_in}",
}
_SIGNED_IN = {
    "my-home": "/my/",
    "my-subscriptions": "/my/subscriptions/",
    "my-subscription": "/my/subscriptions/{guest_subscription}/",
    "my-pause": "/my/subscriptions/{guest_subscription}/pause/",
    "my-cancel": "/my/subscriptions/{guest_subscription}/cancel/",
    "my-method-change": "/my/subscriptions/{guest_subscription}/method/",
    "my-payments": "/my/payments/",
    "my-payment": "/my/payments/{guest_payment}/",
    "my-deposits": "/my/deposits/",
    "my-orders": "/my/orders/",
    "my-order": "/my/orders/{order}/",
    "my-methods": "/my/methods/",
    "my-method-delete": "/my/methods/{guest_method}/delete/",
    "my-points": "/my/points/",
    "my-notices": "/my/notices/",
    "my-consents": "/my/consents/",
    "my-data": "/my/data/",
}
SCREENS = (
    *(Screen(name, f"{CONSOLE}{address}") for name, address in _STAFF.items()),
    Screen("help", "/console/payments/", keys="?"),
    Screen("palette", "/console/payments/", keys="Control+k"),
    *(Screen(f"home-{role}", "/console/", role=role) for role in ("cs", "finance", "auditor")),
    *(Screen(name, address, role="") for name, address in _LINKED.items()),
    *(Screen(name, address, role="guest") for name, address in _SIGNED_IN.items()),
)
NO_SCREENS = {
    "console.counts.show": "figures of the navigation",
    "console.customers.show_cases": "a part of customer",
    "console.customers.show_history": "a part of customer",
    "console.exports.show_state": "a part of export",
    "console.lists.count": "a figure of a saved view",
    "console.payments.show_message": "a part of the payment's page",
    "console.search.open_hit": "leads on to what was found",
    "console.search.show_hits": "a part of search",
    "console.bulk.show_progress": "a part of bulk-job",
    "console.home.show_day": "a part of home",
    "console.home.show_health": "a part of home",
    "console.home.show_work": "a part of home",
    "console.jobs.show_figures": "a part of jobs",
    "console.refunds.progress": "a part of the payment's page",
    "console.refunds.show_panel": "a part of the payment's page",
    "console.runs.show_progress": "a part of run",
    "console.subscriptions.show_periods": "a part of subscription",
    "console.uncertain.show_gateway": "a part of uncertain-decide",
    "portal_paying.come_back": "leads on to the result",
    "portal_paying.give_up": "leads on to the result",
    "portal_paying_registration.come_back": "leads on to show_registered",
    "portal_paying_registration.give_up": "leads on to the checkout",
    "portal_paying_registration.show_registered": "leads on to the checkout when nothing is asked",
    "portal_payment_methods.come_back": "leads on to the result",
    "portal_payment_methods.give_up": "leads on to the result",
}


def fill_in(values: dict[str, object]) -> Iterator[tuple[Screen, str]]:
    """Every screen with its address in this world."""
    for screen in SCREENS:
        yield screen, screen.address.format_map(values)
