"""Spreading: how what is given back of a leg falls on money and points, and on its lines."""

from collections.abc import Mapping
from dataclasses import dataclass

from opsapp.kernel.money import Money


@dataclass(frozen=True, slots=True)
class LineRefund:
    """Of one line, by tender."""

    line_id: int
    money_minor: int
    points: int

    @property
    def minor(self) -> int:
        return self.money_minor + self.points


def spread(
    minor: int, left: Mapping[int, int], *, money_minor: int | None = None
) -> tuple[LineRefund, ...]:
    """`minor` over the lines in proportion to what is left of each, to the unit; None of money:
    all of it.

    The whole of what is left takes each line to nothing. Money and points are mixed in each line
    as in the refund. Raises ValueError for more than is left.
    """
    if minor > sum(left.values()):
        raise ValueError(f"{minor} of {dict(left)}")
    lines = sorted(line_id for line_id, room in left.items() if room)
    parts = _part(minor, [left[line_id] for line_id in lines])
    money = _part(minor if money_minor is None else money_minor, parts)
    return tuple(
        LineRefund(line_id, in_money, part - in_money)
        for line_id, part, in_money in zip(lines, parts, money, strict=True)
        if part
    )


def _part(minor: int, weights: list[int]) -> list[int]:
    if minor == 0:
        return [0] * len(weights)
    return [part.minor for part in Money(minor, "KRW").split(weights)]
