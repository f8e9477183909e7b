"""Prorating: what a part of a period is worth. Days in, whole minor units out.

A day costs amount / days of its period. Shares are rounded down: the credit for the days that are
left and the price of the same days by the same rule, so that a change and the change back cancel
each other to the unit, and used + unused days always add up to the amount that was paid.
"""

from dataclasses import dataclass

from opsapp.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Proration:
    """`credit`: of the days that were paid and are left; `price`: of what comes in their place.

    `smallest`: what the gateway takes at least by this method; less is let go.
    """

    credit: Money
    price: Money
    smallest: int = 1

    @property
    def to_pay(self) -> Money:
        due = max(self.price.minor - self.credit.minor, 0)
        return Money(due if due >= self.smallest else 0, self.price.currency)

    @property
    def to_refund(self) -> Money:
        return Money(max(self.credit.minor - self.price.minor, 0), self.price.currency)

    @property
    def let_go(self) -> Money:
        """Too little for a gateway to take."""
        return Money(
            max(self.price.minor - self.credit.minor, 0) - self.to_pay.minor, self.price.currency
        )


def share(amount: Money, days: int, of_days: int) -> Money:
    """What `days` of a period of `of_days` days cost, rounded down."""
    return Money(amount.minor * days // of_days, amount.currency)


def nothing(currency: str) -> Proration:
    return Proration(Money(0, currency), Money(0, currency))


def same_days(old: Money, new: Money, *, unused: int, period: int) -> Proration:
    """The rest of the running period at another price."""
    return Proration(share(old, unused, period), share(new, unused, period))


def begin_anew(old: Money, new: Money, *, unused: int, period: int) -> Proration:
    """Another rhythm begins today with a whole period of its own."""
    return Proration(share(old, unused, period), new)


def bridge(amount: Money, *, days: int, period: int) -> Proration:
    """Days between the end of the running period and another billing day."""
    return Proration(Money(0, amount.currency), share(amount, days, period))
