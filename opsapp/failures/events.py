"""Facts about the dictionary, told in batches."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnmappedFact:
    unmapped_id: int
    source: str
    code: str


@dataclass(frozen=True, slots=True)
class CodesUnmapped:
    """Gateways answered codes that the dictionary lacks: money stays uncertain until one adds them.

    Told each time; whoever opens a case for it keeps one open per code.
    """

    codes: tuple[UnmappedFact, ...]


@dataclass(frozen=True, slots=True)
class CodesMapped:
    """The dictionary knows them now."""

    codes: tuple[UnmappedFact, ...]
