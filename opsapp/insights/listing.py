"""Every list that staff see: its columns, how its address is read, and where its rows come from.

A page, a saved view and an export of a list all come through here, so that they show the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opsapp.failures import queries as failures
from opsapp.insights import (
    listing_columns as columns,
    listing_deposits,
    listing_events,
    listing_notices,
    listing_orders,
    listing_payments,
    listing_people,
    listing_points,
    listing_receipts,
    listing_refunds,
    listing_subscriptions,
    listing_tickets,
    reading_codes,
    reading_log,
    showing_uncertain,
)
from opsapp.insights.listing_columns import Column
from opsapp.insights.reading_wishes import Query
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page
from opsapp.staff.rules import Permission


class Rows(Protocol):
    def __call__(self, wish: Any, *, cursor: str | None, size: int) -> Page[Any]: ...


@dataclass(frozen=True, slots=True)
class ListSource:
    """`title` is a key of the catalogue. The first column names the row and always stays."""

    name: str
    title: str
    columns: tuple[Column, ...]
    read_wish: Callable[[Query], Any]
    list_rows: Rows
    permission: Permission = Permission.VIEW
    list_fitting: Callable[..., list[Any]] | None = None  # (wish, *, ids, limit): for bulk acts

    def pick(self, keys: Sequence[str]) -> tuple[Column, ...]:
        """The columns of these keys in the list's order, the first always; all defaults for none.

        Unknown keys are of an older version of the list and are left out.
        """
        wanted = set(keys) & {column.key for column in self.columns}
        if not wanted:
            return tuple(column for column in self.columns if column.is_default)
        first = self.columns[0]
        return tuple(column for column in self.columns if column is first or column.key in wanted)


def get_list(name: str) -> ListSource:
    """Raises NotFound."""
    found = LISTS.get(name)
    if found is None:
        raise NotFound(noun="list", id=name[:50])
    return found


_SOURCES = (
    ListSource(
        "payments",
        "Payments",
        columns.PAYMENTS,
        listing_payments.read_wish,
        listing_payments.list_payments,
        list_fitting=listing_payments.list_fitting,
    ),
    ListSource(
        "refunds",
        "Refunds",
        columns.REFUNDS,
        listing_refunds.read_wish,
        listing_refunds.list_refunds,
    ),
    ListSource(
        "orders",
        "Orders",
        columns.ORDERS,
        listing_orders.read_wish,
        listing_orders.list_orders,
    ),
    ListSource(
        "links",
        "Payment links",
        columns.LINKS,
        listing_orders.read_link_wish,
        listing_orders.list_links,
    ),
    ListSource(
        "subscriptions",
        "Subscriptions",
        columns.SUBSCRIPTIONS,
        listing_subscriptions.read_wish,
        listing_subscriptions.list_subscriptions,
        list_fitting=listing_subscriptions.list_fitting,
    ),
    ListSource(
        "customers",
        "Customers",
        columns.CUSTOMERS,
        listing_people.read_wish,
        listing_people.list_customers,
    ),
    ListSource(
        "deposits",
        "Virtual accounts",
        columns.DEPOSITS,
        listing_deposits.read_account_wish,
        listing_deposits.list_accounts,
    ),
    ListSource(
        "cases",
        "Unmatched money",
        columns.CASES,
        listing_deposits.read_case_wish,
        listing_deposits.list_cases,
    ),
    ListSource(
        "cash_receipts",
        "Cash receipts",
        columns.RECEIPTS,
        listing_receipts.read_wish,
        listing_receipts.list_receipts,
    ),
    ListSource(
        "uncertain",
        "Uncertain outcomes",
        columns.UNCERTAIN,
        showing_uncertain.read_wish,
        showing_uncertain.list_desk,
    ),
    ListSource(
        "notifications",
        "Notices sent",
        columns.NOTICES,
        listing_notices.read_wish,
        listing_notices.list_notices,
    ),
    ListSource(
        "webhooks",
        "Gateways' notices",
        columns.EVENTS,
        listing_events.read_wish,
        listing_events.list_events,
    ),
    ListSource(
        "points",
        "Points",
        columns.POINTS,
        listing_points.read_wish,
        listing_points.list_accounts,
    ),
    ListSource(
        "point_adjustments",
        "Adjustments of points",
        columns.ADJUSTMENTS,
        listing_points.read_adjustments_wish,
        listing_points.list_adjustments,
    ),
    ListSource(
        "audit",
        "Audit log",
        columns.LOG,
        reading_log.read_wish,
        reading_log.list_entries,
        permission=Permission.READ_LOG,
    ),
    ListSource(
        "failures",
        "Failure codes",
        columns.CODES,
        reading_codes.read_wish,
        failures.list_codes,
    ),
    ListSource(
        "tickets",
        "Tickets",
        columns.TICKETS,
        listing_tickets.read_wish,
        listing_tickets.list_tickets,
    ),
)
LISTS: Mapping[str, ListSource] = {source.name: source for source in _SOURCES}
