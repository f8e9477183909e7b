"""Read-only questions across rooms: invariants, health, figures."""
