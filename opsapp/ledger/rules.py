"""The chart of accounts. A clearing account stands at zero when nothing is on its way."""

SALES = "sales"
REFUNDS = "refunds"  # contra to sales
REFUNDS_IN_TRANSIT = "refunds_in_transit"  # clearing: requested, not yet given back
# Liability: money that a gateway holds for us and no payment has taken. A debit balance on an
# attempt is a deposit that the bank took back after part of it had been refunded.
UNMATCHED = "unmatched_money"


def gateway_clearing(gateway_name: str) -> str:
    """Clearing: collected by the gateway, not yet paid out to us."""
    return f"gateway_clearing:{gateway_name}"
