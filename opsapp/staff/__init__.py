"""Staff accounts, roles, permissions and server-side sessions."""
