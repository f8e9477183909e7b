"""Recovery: one policy for notices before a charge, retries, tickets and suspension."""
