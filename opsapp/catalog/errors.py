from opsapp.kernel.errors import OpsError


class PlanIsFixed(OpsError):
    """Contracts and receipts name the plan, so its price and rhythm cannot change under them."""

    code = "plan_is_fixed"
    message = "Plan {plan_code} exists with {held}, not with {wanted}."
    remedy = "Give the new price a plan code of its own."
