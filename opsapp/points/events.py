"""Facts about points, told in batches."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ExpiringFact:
    """`points` of one customer that all have the same last day; `lot_id` is the first of them."""

    customer_id: int
    lot_id: int
    points: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class PointsExpiring:
    """Soon, and the customer has not been told yet."""

    lots: tuple[ExpiringFact, ...]
