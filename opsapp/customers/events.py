"""Facts about payment methods, told in batches."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MethodFact:
    method_id: int
    customer_id: int
    kind: str
    code: str | None = None  # the gateway's own


@dataclass(frozen=True, slots=True)
class MethodsIssued:
    methods: tuple[MethodFact, ...]


@dataclass(frozen=True, slots=True)
class MethodsRefused:
    """The gateway refused the registration; the customer has to give another method."""

    methods: tuple[MethodFact, ...]


@dataclass(frozen=True, slots=True)
class MethodsStuck:
    """No certain answer in many turns: a person has to look."""

    methods: tuple[MethodFact, ...]
