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
    """No certain answer about a registration in many turns: a person has to look."""

    methods: tuple[MethodFact, ...]


@dataclass(frozen=True, slots=True)
class DeletionsStuck:
    """The gateway may still keep a key that nobody wants: a person has to look."""

    methods: tuple[MethodFact, ...]


@dataclass(frozen=True, slots=True)
class MethodsLost:
    """Usable until now, and deleted at the gateway without our asking."""

    methods: tuple[MethodFact, ...]


@dataclass(frozen=True, slots=True)
class MethodReplaced:
    """The new method takes over whatever was charged to the old one."""

    old_method_id: int
    new_method_id: int
    customer_id: int
    by_kind: str  # of the actor, so that the listener's log names the same one
    by_name: str


@dataclass(frozen=True, slots=True)
class SignInFact:
    """`by_phone`: that is the address they named, so there they look."""

    ask_id: int
    customer_id: int
    by_phone: bool


@dataclass(frozen=True, slots=True)
class SignInsAsked:
    """Customers who want a link to their own pages."""

    asks: tuple[SignInFact, ...]
