from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CircuitFact:
    circuit_id: int
    gateway_name: str
    because: str


@dataclass(frozen=True, slots=True)
class GatewaysPaused:
    """Gateways that refuse our own settings are asked nothing more until a person has looked."""

    facts: tuple[CircuitFact, ...]


@dataclass(frozen=True, slots=True)
class GatewayResumed:
    """Staff have looked and let it go on."""

    fact: CircuitFact
