"""One module per room, one function per job. Imported before the first fork."""

from workers.jobs import cash_receipts, customers, notifications, payments

__all__ = ["cash_receipts", "customers", "notifications", "payments"]
