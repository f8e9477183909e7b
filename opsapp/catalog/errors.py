from opsapp.kernel.errors import Invalid, OpsError


class PlanIsFixed(OpsError):
    """Contracts and receipts name the plan, so its price and rhythm cannot change under them."""

    code = "plan_is_fixed"
    message = "Plan {plan_code} exists with {held}, not with {wanted}."
    remedy = "Give the new price a plan code of its own."


class VersionTooEarly(OpsError):
    code = "version_too_early"
    http_status = 422
    message = "The new version has to begin after {day}."
    remedy = "Choose a later day; versions follow one another."


class VersionTooLate(OpsError):
    code = "version_too_late"
    http_status = 422
    message = "The new version has to begin by {day}."
    remedy = "Choose an earlier day: none could be added before it."


class PriceTooHigh(Invalid):
    code = "price_too_high"
    message = "The price is higher than any that can be charged."
    remedy = "Enter the price of one."


class OtherCurrency(OpsError):
    code = "other_currency"
    http_status = 422
    message = "The plan is in {currency}."
    remedy = "Give the price in that currency."


class SellerExists(OpsError):
    code = "seller_exists"
    message = "There is another seller under {ref}."
    remedy = "Choose a reference of its own."


class SellerChanged(OpsError):
    code = "seller_changed"
    message = "Somebody else has changed this fee meanwhile."
    remedy = "Load the page again and look at the fee that holds now."
