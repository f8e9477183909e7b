"""Mechanisms without business: transactions, states, turns, jobs, the log."""
