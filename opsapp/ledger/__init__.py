"""The books: double entry, append-only, every transfer balanced by construction."""
