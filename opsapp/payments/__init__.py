"""Sums to be collected once, the attempts to collect them, refunds, what gateways tell us."""
