"""Money is whole minor units and a currency; it is formatted in templates and nowhere else."""

from dataclasses import dataclass

from opsapp.kernel.errors import Invalid

BIGINT_MAX = 2**63 - 1

# ISO 4217 exponents of the currencies we take; KRW and JPY have no minor unit.
EXPONENTS = {"KRW": 0, "JPY": 0, "USD": 2, "EUR": 2}


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`minor` counts won for KRW and cents for USD. Mixing currencies raises ValueError."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise ValueError(f"not whole minor units: {self.minor!r}")
        if len(self.currency) != 3 or not self.currency.isupper():
            raise ValueError(f"not an ISO 4217 code: {self.currency!r}")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other).minor, self.currency)

    def split(self, weights: list[int]) -> list["Money"]:
        """Shares in proportion to non-negative weights, to the unit (largest remainder)."""
        total = sum(weights)
        if not weights or total <= 0 or min(weights) < 0:
            raise ValueError(f"weights must be non-negative and not all zero: {weights}")
        floors = [self.minor * weight // total for weight in weights]
        by_remainder = sorted(
            range(len(weights)), key=lambda i: (-(self.minor * weights[i] % total), i)
        )
        for index in by_remainder[: self.minor - sum(floors)]:
            floors[index] += 1
        return [Money(share, self.currency) for share in floors]

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other


def parse_money(text: str, currency: str, *, field: str = "amount") -> Money:
    """An amount as a person or a file writes it ("12,000", "12.50" for USD).

    Raises Invalid naming `field`: empty, not a number, not above 0, a fraction finer than the
    currency has, a currency that is not taken, or more than BIGINT holds.
    """
    if currency not in EXPONENTS:
        taken = ", ".join(EXPONENTS)
        raise Invalid(field="currency", reason=f"{currency!r} is not one of {taken}.")
    whole, point, fraction = text.strip().replace(",", "").partition(".")
    exponent = EXPONENTS[currency]
    figures = (whole, fraction) if point else (whole,)
    if not all(part.isascii() and part.isdigit() for part in figures):
        raise Invalid(field=field, reason=f"{text!r} is not a number above 0.")
    if len(fraction) > exponent:
        raise Invalid(field=field, reason=f"{currency} has {exponent} decimal places.")
    minor = int(whole + fraction.ljust(exponent, "0")) if len(whole) <= 20 else BIGINT_MAX + 1
    if minor <= 0:
        raise Invalid(field=field, reason="must be above 0.")
    if minor > BIGINT_MAX:
        raise Invalid(field=field, reason="is larger than any amount that can be stored.")
    return Money(minor, currency)
