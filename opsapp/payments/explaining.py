"""Explaining: what a failure code means to the customer and to whoever speaks to them."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.failures import loading
from opsapp.failures.rules import Fault, fault_of
from opsapp.gateways import failures, registry
from opsapp.gateways.failures import Failure

# Codes of our own for what the network did, whatever the gateway.
_OURS = ("transport",)


@dataclass(frozen=True, slots=True)
class Explanation:
    """`hint` is read by the customer; `script` by the agent: whose doing, what to say and do."""

    code: str
    hint: str
    script: Sequence[str]
    failure_class: str
    fault: Fault


def refresh() -> None:
    """Go by the dictionary of this moment: one row is read."""
    loading.keep_fresh()


def explain(code: str, *, gateway_name: str | None = None, locale: str) -> Explanation | None:
    """In Korean or English; None for a code that the dictionary does not know.

    Without a gateway's name all of this installation are looked through, in their order.
    """
    known = failures.find(_sources(gateway_name), code)
    if known is None:
        return None
    is_korean = locale == "ko"
    return Explanation(
        code=known.code,
        hint=known.hint_ko if is_korean else known.hint_en,
        script=(known.script_ko if is_korean else known.script_en).splitlines(),
        failure_class=known.failure_class,
        fault=fault_of(known.failure_class),
    )


def find_failure(code: str, *, gateway_name: str | None = None) -> Failure | None:
    """What the dictionary holds about the code."""
    return failures.find(_sources(gateway_name), code)


def _sources(gateway_name: str | None) -> list[str]:
    """As the adapter looks them up, then what staff have added for companies behind the gateway."""
    gateways = registry.all_gateways()
    named = [gateway for gateway in gateways if gateway.name == gateway_name] or gateways
    first = [source for gateway in named for source in gateway.failure_sources]
    added = [source for gateway in named for source in failures.list_sources(f"{gateway.name}_")]
    return [*first, *added, *_OURS]
