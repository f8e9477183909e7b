"""The menu. A role sees what it may enter; a screen that is no entry belongs to one."""

from dataclasses import dataclass

from flask import request

from opsapp.console import access
from opsapp.staff.rules import Permission

P = Permission


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the menu. `count` names a figure of console.counts, `within` further screens."""

    endpoint: str
    icon: str
    label: str
    permission: Permission = Permission.VIEW
    count: str = ""
    within: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        return self.endpoint.rpartition(".")[0].removeprefix("console.")


@dataclass(frozen=True, slots=True)
class Group:
    key: str
    label: str
    entries: tuple[Entry, ...]


NAVIGATION = (
    Group("mine", "My work", (
        Entry("console.home.show", "house", "Home"),
        Entry("console.tickets.show_list", "inbox", "Tickets", count="tickets"),
        Entry(
            "console.uncertain.show_list", "question-diamond", "Uncertain outcomes",
            count="uncertain",
        ),
        Entry("console.approvals.show_list", "people-fill", "Second approvals", count="approvals"),
        Entry("console.deposits.show_list", "bank", "Virtual accounts", count="unmatched"),
    )),
    Group("payments", "Payments and orders", (
        Entry("console.payments.show_list", "credit-card", "Payments"),
        Entry("console.refunds.show_list", "arrow-counterclockwise", "Refunds", count="refunds"),
        Entry("console.orders.show_list", "bag", "Orders", within=("order_page",)),
        Entry("console.cash_receipts.show_list", "receipt", "Cash receipts"),
    )),
    Group("customers", "Customers and subscriptions", (
        Entry("console.customers.show_list", "people", "Customers", within=("consents",)),
        Entry(
            "console.subscriptions.show_list", "arrow-repeat", "Subscriptions",
            within=("subscription_changes",),
        ),
        Entry("console.recovery.show_list", "bandaid", "Payment recovery"),
        Entry("console.notifications.show_list", "envelope", "Notices sent"),
    )),
    Group("finance", "Finance", (
        Entry("console.points.show_list", "coin", "Points"),
        Entry("console.points.show_open_items", "journal-check", "Open items of the books"),
        Entry("console.sellers.show_list", "shop", "Sellers"),
    )),
    Group("operations", "Operations", (
        Entry("console.runs.show_list", "list-task", "Billing runs"),
        Entry("console.calendar.show", "calendar3", "Billing calendar"),
        Entry("console.bulk.show_list", "collection", "Bulk jobs"),
        Entry("console.exports.show_list", "file-earmark-arrow-down", "Exports", P.EXPORT),
        Entry("console.jobs.show", "stack", "Queues and schedules"),
        Entry("console.webhooks.show_list", "broadcast", "Gateways' notices"),
        Entry("console.audit.show_list", "shield-check", "Audit log", P.READ_LOG),
    )),
    Group("settings", "Settings", (
        Entry("console.gateways.show", "diagram-3", "Gateways"),
        Entry("console.plans.show_list", "tags", "Plans"),
        Entry("console.recovery_policies.show_list", "signpost-split", "Recovery policy"),
        Entry("console.notice_templates.show_list", "envelope-paper", "Texts of notices"),
        Entry("console.ticket_macros.show_list", "chat-square-quote", "Macros", P.LEAD_TICKETS),
        Entry("console.failures.show_list", "journal-x", "Failure codes"),
        Entry(
            "console.money_policies.show_list", "sliders", "Limits and the time to undo",
            P.EDIT_MONEY_POLICY,
        ),
        Entry("console.terms.show_list", "file-earmark-text", "Terms"),
        Entry("console.staff.show_list", "person-gear", "Staff", P.MANAGE_STAFF),
        Entry("console.api_keys.show_list", "key", "API keys", P.MANAGE_API_KEYS),
        Entry("console.shop_webhooks.show_list", "send", "Webhooks to the shop", P.MANAGE_WEBHOOKS),
    )),
)  # fmt: skip


def groups() -> list[tuple[Group, list[Entry], Entry | None]]:
    """What this visitor may enter, and which entry of a group the present screen belongs to."""
    mine = [(group, [e for e in group.entries if access.may(e.permission)]) for group in NAVIGATION]
    entries = [entry for _group, some in mine for entry in some]
    here = next((e for e in entries if e.endpoint == request.endpoint), None)
    if here is None:
        noun = str(request.blueprint).removeprefix("console.")
        here = next((e for e in entries if noun == e.noun or noun in e.within), None)
    return [(group, some, here if here in some else None) for group, some in mine if some]
