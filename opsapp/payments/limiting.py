"""Limiting refunds: what a gateway offers for giving money back, by the way it was paid."""

from dataclasses import dataclass
from datetime import date, datetime

from opsapp.gateways import registry
from opsapp.gateways.values import Capabilities
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date
from opsapp.payments.errors import NotRefundable
from opsapp.payments.models import Attempt, Payment


@dataclass(frozen=True, slots=True)
class RefundLimits:
    """How money of one payment can be given back."""

    in_part: bool
    this_month_only: bool
    needs_account: bool
    is_month_over: bool = False


def limit_refunds(
    capabilities: Capabilities, method_kind: str, *, paid_on: date, today: date
) -> RefundLimits:
    """By what the gateway offers for the method; the days are Seoul's."""
    this_month_only = method_kind in capabilities.same_month_refunds
    is_same_month = (paid_on.year, paid_on.month) == (today.year, today.month)
    return RefundLimits(
        in_part=method_kind in capabilities.partial_refunds,
        this_month_only=this_month_only,
        needs_account=method_kind in capabilities.account_refunds,
        is_month_over=this_month_only and not is_same_month,
    )


def limits_of(paid: Attempt | Payment, *, paid_at: datetime | None) -> RefundLimits:
    """What the gateway offers for giving this money back. Raises NotRefundable."""
    gateway = next((g for g in registry.all_gateways() if g.name == paid.gateway_name), None)
    if gateway is None:
        raise NotRefundable(reason="its gateway is not connected any more")
    now = clock.now()
    return limit_refunds(
        gateway.capabilities,
        paid.method_kind,
        paid_on=seoul_date(paid_at or now),
        today=seoul_date(now),
    )


def smallest_charge(gateway_name: str, method_kind: str, currency: str) -> int:
    """Minor units that the gateway takes at least by this method; 1 where nothing is said."""
    found = next((g for g in registry.all_gateways() if g.name == gateway_name), None)
    return found.capabilities.minimum_minor.get((method_kind, currency), 1) if found else 1
