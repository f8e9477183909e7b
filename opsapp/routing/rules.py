"""When a gateway is left alone, when it is tried again, and which one takes a payment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from opsapp.gateways.values import METHOD_GONE, Answer, Capabilities, FailureClass, Outcome
from opsapp.kernel.money import Money
from opsapp.routing.states import CircuitStatus

WINDOW = timedelta(seconds=60)
TROUBLE_MIN = 10  # fewer bad calls are no outage,
# unless they hold us up: calls that take half a minute each are never ten in one.
LONG_TROUBLE_MIN = 3
LOST_S_MIN = 60
MISCONFIGURED_MIN = 3  # one order may be wrong in itself, three are our settings
PROBES = 3
PROBE_LIFE = timedelta(seconds=30)  # a worker may die with a probe in hand
RESTS_MAX = 10  # the longest rest, in first rests
HELD_MAX = timedelta(seconds=15)  # a row passed over is looked at again after this
HELD_BY_PROBES = timedelta(seconds=2)
VIRTUAL_ACCOUNT = "virtual_account"

FAILING = "most calls failed or were slow"
PROBE_FAILED = "a probe failed or was slow"
RECOVERED = "the probes went well"
REST_OVER = "time for a probe"
OUR_SETTINGS = "the gateway refuses our own key, contract or request"

C = CircuitStatus


class Kind(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SLOW = "slow"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer says about the gateway itself."""

    subject: str
    kind: Kind
    took: timedelta
    code: str = ""


@dataclass(frozen=True, slots=True)
class Circuit:
    """A row of gateway_circuits as a value; the default is a gateway that is well."""

    gateway_name: str
    id: int = 0
    status: str = C.CLOSED.value
    window_began_at: datetime | None = None
    calls: int = 0
    failures: int = 0
    slow: int = 0
    lost_s: int = 0
    misconfigured: Mapping[str, str] = field(default_factory=dict)
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    rest_s: int = 0
    probes_left: int = 0
    probes_ok: int = 0
    because: str = ""
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def trouble(self) -> int:
        return self.failures + self.slow


@dataclass(frozen=True, slots=True)
class Route:
    gateway_name: str
    amount_from_minor: int
    amount_to_minor: int | None

    def takes(self, minor: int) -> bool:
        above = self.amount_to_minor is not None and minor > self.amount_to_minor
        return minor >= self.amount_from_minor and not above


def hear(subject: str, answer: Answer, *, slow: timedelta) -> Heard | None:
    """None: the gateway was not asked. A decline is the word of a gateway that is well."""
    took, code = timedelta(seconds=answer.took_s), answer.code or ""
    # An unknown code is the word of a gateway that answers: a case for review. So is
    # being busy with the first request, which a repeated one is told.
    answers = answer.unmapped_source is not None or answer.retry_mode == "same_request"
    is_its_fault = answer.failure_class == FailureClass.GATEWAY and not answers
    match answer.outcome:
        case Outcome.DECLINED if code == METHOD_GONE.code:
            return None
        case Outcome.MISCONFIGURED:
            return Heard(subject, Kind.MISCONFIGURED, took, code)
        case Outcome.NOT_SENT:
            # Too late for the lease is our own doing; unreachable or overrun is not.
            return Heard(subject, Kind.FAILED, took, code) if is_its_fault else None
        case Outcome.UNKNOWN if is_its_fault or not code:
            return Heard(subject, Kind.FAILED, took, code)
        case Outcome.CONFLICT if is_its_fault:
            return Heard(subject, Kind.FAILED, took, code)
        case _ if took > slow:
            return Heard(subject, Kind.SLOW, took, code)
        case _:
            return Heard(subject, Kind.OK, took, code)


def is_calm(circuit: Circuit, now: datetime) -> bool:
    """Good answers need not be counted."""
    is_spotless = not circuit.trouble and not circuit.misconfigured
    return circuit.status == C.CLOSED and (is_spotless or _is_window_over(circuit, now))


def after_answers(
    circuit: Circuit, heard: Sequence[Heard], now: datetime, *, first_rest_s: int
) -> Circuit:
    """Opens when half of the window's calls are bad and many, or few and long.

    Closes after good probes.
    """
    match circuit.status:
        case C.CLOSED:
            begun_at = now - max((each.took for each in heard), default=timedelta(0))
            counted = _count(_fresh_window(circuit, now, begun_at), heard)
            if len(counted.misconfigured) >= MISCONFIGURED_MIN:
                return _paused(counted, OUR_SETTINGS)
            if _is_outage(counted):
                return _opened(counted, now, first_rest_s, FAILING)
            return counted
        case C.PROBING:
            return _after_probes(circuit, heard, now, first_rest_s)
        case _:  # late answers of calls that went out before
            return circuit


def grant(circuit: Circuit, wanted: int, now: datetime) -> tuple[int, Circuit]:
    """How many of the calls may go out, and the circuit after that."""
    if circuit.status == C.CLOSED:
        return wanted, circuit
    if circuit.status == C.PAUSED or not wanted:
        return 0, circuit
    is_over = circuit.retry_at is None or circuit.retry_at <= now
    if circuit.status == C.OPEN:
        if not is_over:
            return 0, circuit
        circuit = probing(circuit, now, REST_OVER)
    elif is_over:
        circuit = replace(circuit, probes_left=PROBES, retry_at=now + PROBE_LIFE)
    allowed = min(wanted, circuit.probes_left)
    return allowed, replace(circuit, probes_left=circuit.probes_left - allowed)


def probing(circuit: Circuit, now: datetime, because: str) -> Circuit:
    return replace(
        circuit, status=C.PROBING.value, probes_left=PROBES, probes_ok=0, misconfigured={},
        opened_at=circuit.opened_at or now, retry_at=now + PROBE_LIFE, because=because,
    )  # fmt: skip


def held_for(circuit: Circuit, now: datetime) -> timedelta:
    """How long a row that was not let through is left alone."""
    if circuit.status == C.PROBING:
        return HELD_BY_PROBES
    left = HELD_MAX if circuit.retry_at is None else circuit.retry_at - now
    return min(max(left, timedelta(0)), HELD_MAX)


def may_be_asked(circuit: Circuit, now: datetime) -> bool:
    """By a new payment. When a rest is over somebody has to be the probe."""
    is_over = circuit.retry_at is not None and circuit.retry_at <= now
    return circuit.status in (C.CLOSED, C.PROBING) or (circuit.status == C.OPEN and is_over)


def why_not(
    capabilities: Capabilities, circuit: Circuit, method_kind: str, amount: Money, now: datetime
) -> str:
    """Why a gateway cannot take this payment; "" if it can."""
    minimum = capabilities.minimum_minor.get((method_kind, amount.currency), 0)
    if not takes_kind(capabilities, method_kind):
        return f"takes no {method_kind}"
    if amount.currency not in capabilities.currencies:
        return f"takes no {amount.currency}"
    if amount.minor < minimum:
        return f"takes no less than {minimum}"
    if not may_be_asked(circuit, now):
        return f"is {circuit.status}"
    return ""


def takes_kind(capabilities: Capabilities, method_kind: str) -> bool:
    """From a customer who pays once."""
    is_account = method_kind == VIRTUAL_ACCOUNT and capabilities.issues_accounts
    return is_account or method_kind in capabilities.window_methods


def candidates(
    routes: Sequence[Route], configured: Sequence[str], amount: Money, *, not_these: Collection[str]
) -> list[str]:
    """In the order of the routes; where none speaks of the kind and currency, as configured."""
    named = [route.gateway_name for route in routes if route.takes(amount.minor)]
    wanted = named if routes else configured
    return [name for name in dict.fromkeys(wanted) if name in configured and name not in not_these]


def _after_probes(
    circuit: Circuit, heard: Sequence[Heard], now: datetime, first_rest_s: int
) -> Circuit:
    opened_at = circuit.opened_at or now
    probes = [each for each in heard if now - each.took >= opened_at]  # others went out before
    counted = _count(circuit, probes)
    if len(counted.misconfigured) >= MISCONFIGURED_MIN:
        return _paused(counted, OUR_SETTINGS)
    if counted.trouble > circuit.trouble:
        longest = first_rest_s * RESTS_MAX
        return _opened(counted, now, min(circuit.rest_s * 2 or first_rest_s, longest), PROBE_FAILED)
    ok = circuit.probes_ok + sum(each.kind is Kind.OK for each in probes)
    if ok >= PROBES:
        return Circuit(circuit.gateway_name, circuit.id, window_began_at=now, because=RECOVERED)
    return replace(counted, probes_ok=ok)


def _is_outage(circuit: Circuit) -> bool:
    is_long = circuit.trouble >= LONG_TROUBLE_MIN and circuit.lost_s >= LOST_S_MIN
    is_much = circuit.trouble >= TROUBLE_MIN or is_long
    return is_much and circuit.trouble * 2 >= circuit.calls


def _count(circuit: Circuit, heard: Sequence[Heard]) -> Circuit:
    bad = [each for each in heard if each.kind in (Kind.FAILED, Kind.SLOW)]
    refused = {each.subject: each.code for each in heard if each.kind is Kind.MISCONFIGURED}
    return replace(
        circuit,
        calls=circuit.calls + len(heard),
        failures=circuit.failures + sum(each.kind is Kind.FAILED for each in heard),
        slow=circuit.slow + sum(each.kind is Kind.SLOW for each in heard),
        lost_s=circuit.lost_s + round(sum(each.took.total_seconds() for each in bad)),
        misconfigured=dict(circuit.misconfigured) | refused,
    )


def _fresh_window(circuit: Circuit, now: datetime, begun_at: datetime) -> Circuit:
    """A call belongs to the window in which it began, however long it took."""
    if not is_calm(circuit, begun_at):
        return circuit
    return replace(
        circuit, window_began_at=now, calls=0, failures=0, slow=0, lost_s=0, misconfigured={}
    )


def _is_window_over(circuit: Circuit, now: datetime) -> bool:
    return circuit.window_began_at is None or now - circuit.window_began_at >= WINDOW


def _opened(circuit: Circuit, now: datetime, rest_s: int, because: str) -> Circuit:
    return replace(
        circuit, status=C.OPEN.value, opened_at=now, rest_s=rest_s, probes_left=0, probes_ok=0,
        retry_at=now + timedelta(seconds=rest_s), because=because,
    )  # fmt: skip


def _paused(circuit: Circuit, because: str) -> Circuit:
    return replace(
        circuit, status=C.PAUSED.value, retry_at=None, probes_left=0, probes_ok=0, because=because
    )
