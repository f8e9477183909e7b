"""Messages to customers, at most one per kind, subject and recipient."""
