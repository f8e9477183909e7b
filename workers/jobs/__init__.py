"""One module per room, one function per job. Imported before the first fork."""

from workers.jobs import customers, notifications, payments

__all__ = ["customers", "notifications", "payments"]
