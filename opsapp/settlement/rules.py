"""How what is paid for a line is parted between its seller, the house and the tax office."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opsapp.kernel.money import Money

VAT_OF_FEE_PERCENT = 10
_BASIS = 10_000
_WHOLE = _BASIS * 100  # weights stay whole: the fee in basis points, its VAT in percent of them


@dataclass(frozen=True, slots=True)
class Parts:
    """gross = fee + vat + share, always."""

    gross_minor: int
    fee_minor: int
    vat_minor: int

    @property
    def share_minor(self) -> int:
        return self.gross_minor - self.fee_minor - self.vat_minor

    def __add__(self, other: "Parts") -> "Parts":
        return Parts(
            self.gross_minor + other.gross_minor,
            self.fee_minor + other.fee_minor,
            self.vat_minor + other.vat_minor,
        )

    def __sub__(self, other: "Parts") -> "Parts":
        return Parts(
            self.gross_minor - other.gross_minor,
            self.fee_minor - other.fee_minor,
            self.vat_minor - other.vat_minor,
        )


NOTHING = Parts(0, 0, 0)


def split(gross_minor: Mapping[int, int], fee_bp: int) -> dict[int, Parts]:
    """One seller's lines, paid together: fee, VAT and share of each, by the line's key.

    The three sums are the largest-remainder split of what all lines come to, so that many small
    lines cost the seller no more than one large one; each is then parted over the lines in the
    same way. Equal remainders go to the smaller key, never to whatever came first.
    """
    keys = sorted(key for key, minor in gross_minor.items() if minor > 0)
    if not keys:
        return {}
    fee, vat, _share = _part(
        sum(gross_minor[key] for key in keys),
        [fee_bp * 100, fee_bp * VAT_OF_FEE_PERCENT, _WHOLE - fee_bp * (100 + VAT_OF_FEE_PERCENT)],
    )
    taken = _part(fee + vat, [gross_minor[key] for key in keys])
    vats = _part(vat, taken)
    return {
        key: Parts(gross_minor[key], both - tax, tax)
        for key, both, tax in zip(keys, taken, vats, strict=True)
    }


def reverse(sale: Parts, undone: Parts, gross_minor: int) -> Parts:
    """What to take back of a sale of which `undone` was taken back before.

    Worked out on all that is given back so far, not on this one refund: whatever the steps, each
    sum is within one won of its proportion, none ever goes the other way, and the last step
    leaves exactly nothing. Raises ValueError for more than is left.
    """
    so_far = undone.gross_minor + gross_minor
    if gross_minor <= 0 or so_far > sale.gross_minor:
        raise ValueError(f"{gross_minor} of what is left of {sale}: {undone} is undone already")
    both = sale.fee_minor + sale.vat_minor
    taken = _rounded(both * so_far, sale.gross_minor)
    vat = _rounded(sale.vat_minor * taken, both) if both else 0
    return Parts(so_far, taken - vat, vat) - undone


def _part(minor: int, weights: Sequence[int]) -> list[int]:
    if minor == 0:
        return [0] * len(weights)
    return [part.minor for part in Money(minor, "KRW").split(list(weights))]


def _rounded(dividend: int, divisor: int) -> int:
    """Half up."""
    return (2 * dividend + divisor) // (2 * divisor)
