"""The chart of accounts. A clearing account stands at zero when nothing is on its way."""

SALES = "sales"
REFUNDS = "refunds"  # contra to sales
REFUNDS_IN_TRANSIT = "refunds_in_transit"  # clearing: requested, not yet given back
# Liability: money that a gateway holds for us and no payment has taken. A debit balance on an
# attempt is a deposit that the bank took back after part of it had been refunded.
UNMATCHED = "unmatched_money"

POINTS_LIABILITY = "points_liability"  # what customers may still spend
POINTS_RESERVED = "points_reserved"  # clearing: set aside for a purchase that is not paid yet
POINTS_COST = "points_cost"  # expense: points given
POINTS_EXPIRED = "points_expired"  # income: points that nobody spent

FEE_INCOME = "fee_income"  # what sellers pay the house for selling
VAT_PAYABLE = "vat_payable"  # liability: the tax on those fees
_SELLER_PAYABLE = "seller_payable:"


def seller_payable(seller_ref: str) -> str:
    """Liability: owed to a seller and not paid out yet. A debit balance is owed to the house."""
    return f"{_SELLER_PAYABLE}{seller_ref}"


def gateway_clearing(gateway_name: str) -> str:
    """Clearing: collected by the gateway, not yet paid out to us."""
    return f"gateway_clearing:{gateway_name}"
