"""One module per room, one function per job. Imported before the first job."""

from workers.jobs import (
    bulk,
    cash_receipts,
    customers,
    exports,
    notifications,
    payments,
    shop_events,
)

__all__ = [
    "bulk",
    "cash_receipts",
    "customers",
    "exports",
    "notifications",
    "payments",
    "shop_events",
]
