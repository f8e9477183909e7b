"""What may be said of a failure code. Values in, decision out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from opsapp.gateways import failures
from opsapp.gateways.values import FailureClass
from opsapp.kernel.errors import Invalid

HINT_LENGTH_MAX = 300
SCRIPT_LENGTH_MAX = 1000
REASON_LENGTH_MIN = 5
REASON_LENGTH_MAX = 300
CODE_LENGTH_MAX = 100

# What a person compares between two versions, in the order of the page.
COMPARED = (
    "failure_class", "subclass", "retry_mode", "outcome", "hint_ko", "hint_en", "script_ko",
    "script_en",
)  # fmt: skip
NOT_CHARGED = "not_charged"


class Fault(StrEnum):
    """Whose doing a failure is: who has to act, and whom it counts against."""

    CUSTOMER = "customer"
    ISSUER = "issuer"
    GATEWAY = "gateway"
    OURS = "ours"
    NOBODY = "nobody"


_FAULTS: dict[str, Fault] = {
    FailureClass.AUTHENTICATION: Fault.CUSTOMER,
    FailureClass.EXPIRED: Fault.CUSTOMER,
    FailureClass.CUSTOMER_CANCELLED: Fault.CUSTOMER,
    FailureClass.FRAUD: Fault.ISSUER,
    FailureClass.GATEWAY: Fault.GATEWAY,
    FailureClass.CONFIGURATION: Fault.OURS,
    FailureClass.CONFLICT: Fault.NOBODY,
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a subclass stands for; all codes of one subclass are handled alike."""

    name_ko: str
    name_en: str
    failure_class: str
    retry_mode: str
    outcome: str
    script_ko: str
    script_en: str


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said: `hint` by us to the customer, `script` to the agent. Raises Invalid."""

    hint_ko: str
    hint_en: str
    script_ko: str
    script_en: str

    def __post_init__(self) -> None:
        for name in ("hint_ko", "hint_en"):
            _check_text(name, getattr(self, name), longest=HINT_LENGTH_MAX)
        for name in ("script_ko", "script_en"):
            _check_text(name, getattr(self, name), longest=SCRIPT_LENGTH_MAX)


def fault_of(failure_class: str) -> Fault:
    return _FAULTS[failure_class]


@lru_cache(maxsize=1)
def read_meanings() -> Mapping[str, Meaning]:
    """By subclass, as the program came with them: class, retry mode and outcome belong together."""
    names = {row["subclass"]: row["name_ko"] for row in failures.read_rows(failures.SCRIPTS)}
    return {
        failure.subclass: Meaning(
            names[failure.subclass],
            failure.subclass.replace("_", " ").capitalize(),
            failure.failure_class,
            failure.retry_mode,
            failure.outcome,
            failure.script_ko,
            failure.script_en,
        )
        for failure in failures.read_seed()
    }


def find_meaning(subclass: str) -> Meaning:
    """Raises Invalid."""
    meaning = read_meanings().get(subclass)
    if meaning is None:
        raise Invalid(field="subclass", reason="Choose one of the kinds of failure.")
    return meaning


def is_dangerous(before: str | None, after: str) -> bool:
    """Whether what had to be inquired counts as certainly not charged from now on.

    `before`: the outcome until now; None for a code that was not in the dictionary. A mistake
    here charges customers twice; in the other direction it only costs inquiries.
    """
    return after == NOT_CHARGED and before != NOT_CHARGED


def check_confirmed(code: str, typed: str) -> None:
    """Raises Invalid unless the code was typed exactly."""
    if typed.strip() != code:
        reason = (
            "Type the code exactly: from now on it counts as certainly not charged, "
            "and payments that fail with it may be charged again."
        )
        raise Invalid(field="typed_code", reason=reason)


def check_reason(because: str) -> str:
    """Raises Invalid."""
    reason = " ".join(because.split())
    if not REASON_LENGTH_MIN <= len(reason) <= REASON_LENGTH_MAX:
        raise Invalid(field="because", reason="Give a reason of 5 to 300 characters.")
    return reason


def differences(before: object, after: object) -> list[tuple[str, str, str]]:
    """(name, before, after) of what two versions say differently."""
    return [
        (name, getattr(before, name), getattr(after, name))
        for name in COMPARED
        if getattr(before, name) != getattr(after, name)
    ]


def _check_text(name: str, text: str, *, longest: int) -> None:
    if not text.strip():
        raise Invalid(field=name, reason="Write something: people read it.")
    if len(text) > longest:
        raise Invalid(field=name, reason="The text is too long.")
    if not text.replace("\n", "").isprintable():
        raise Invalid(field=name, reason="The text holds characters that cannot be printed.")
