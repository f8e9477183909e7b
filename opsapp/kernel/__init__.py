"""Mechanisms without business: transactions, states, turns, jobs, the log. May be read on its own."""
