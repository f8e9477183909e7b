"""Doubles of companies that nobody can call from a test: each a process of its own on loopback."""
