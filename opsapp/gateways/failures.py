"""What a gateway's failure code means: one dictionary for all decline handling.

The room `failures` keeps it as a versioned table and installs it here; before that, and in a
process without a database, the seed that came with the program holds. A code that is not in it is
an unknown outcome, never a decline.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from opsapp.gateways.values import Answer, FailureClass, Outcome

SEED = "failure_codes.csv"
SCRIPTS = "failure_scripts.csv"  # what the agent says and does, by subclass


@dataclass(frozen=True, slots=True)
class Failure:
    """`outcome`: not_charged (definite), unknown, or query (the state at the gateway decides).

    Hints are read by customers, scripts by the agent who speaks to them.
    """

    source: str
    code: str
    failure_class: str
    subclass: str
    retry_mode: str
    outcome: str
    hint_ko: str
    hint_en: str
    script_ko: str = ""
    script_en: str = ""


_OUTCOMES = {"not_charged": Outcome.DECLINED, "query": Outcome.CONFLICT}
_installed: list[dict[tuple[str, str], Failure]] = []
_HEADINGS = {
    "ko": ("귀책: {fault}", "안내: “{say}”", "조치: {do}"),
    "en": ("Whose doing: {fault}", "Say: “{say}”", "Do: {do}"),
}


def install(dictionary: Iterable[Failure]) -> None:
    """What holds in this process from now on."""
    # One assignment: a thread that looks a code up meanwhile sees the old one or the new one.
    _installed[:] = [{(failure.source, failure.code): failure for failure in dictionary}]


def look_up(source: str, code: str) -> Failure | None:
    if not _installed:
        install(read_seed())
    return _installed[0].get((source, code))


def list_sources(prefix: str) -> list[str]:
    """Those whose name begins so: a gateway may speak for several companies."""
    look_up("", "")  # something is installed from here on
    return sorted({source for source, _ in _installed[0] if source.startswith(prefix)})


def find(sources: Sequence[str], code: str) -> Failure | None:
    """The first source that knows the code."""
    return next((known for source in sources if (known := look_up(source, code))), None)


def classify(named: Sequence[tuple[str, str]], *, trace_id: str | None = None) -> Answer:
    """The meaning of (source, code) pairs that one error answer carries, the most telling first.

    The first that the dictionary knows decides; none: an unknown outcome that names the first.
    """
    for source, code in named:
        if (known := look_up(source, code)) is not None:
            return _meant(known, trace_id)
    source, code = named[0] if named else ("", "")
    return Answer(
        Outcome.UNKNOWN,
        "a code that is not in the dictionary",
        code=code,
        unmapped_source=source,
        failure_class=FailureClass.GATEWAY,
        retry_mode="query_then_retry",  # as transport/UNKNOWN_CODE
        trace_id=trace_id,
    )


def read_seed() -> list[Failure]:
    scripts = read_scripts()
    return [_failure(row, scripts) for row in read_rows(SEED)]


def read_scripts() -> dict[str, tuple[str, str]]:
    """Korean and English script of each subclass: whose doing, what to say, what to do."""
    return {row["subclass"]: (_script(row, "ko"), _script(row, "en")) for row in read_rows(SCRIPTS)}


def read_rows(name: str) -> list[dict[str, str]]:
    text = resources.files("opsapp.gateways").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _meant(known: Failure, trace_id: str | None) -> Answer:
    is_ours = known.failure_class == FailureClass.CONFIGURATION
    return Answer(
        Outcome.MISCONFIGURED if is_ours else _OUTCOMES.get(known.outcome, Outcome.UNKNOWN),
        known.subclass.replace("_", " "),
        code=known.code,
        failure_class=known.failure_class,
        retry_mode=known.retry_mode,
        trace_id=trace_id,
    )


def _script(row: Mapping[str, str], locale: str) -> str:
    parts = {name: row[f"{name}_{locale}"] for name in ("fault", "say", "do")}
    return "\n".join(heading.format(**parts) for heading in _HEADINGS[locale])


def _failure(row: Mapping[str, str], scripts: Mapping[str, tuple[str, str]]) -> Failure:
    script_ko, script_en = scripts[row["subclass"]]
    return Failure(
        source=row["source"],
        code=row["code"],
        failure_class=row["class"],
        subclass=row["subclass"],
        retry_mode=row["retry_mode"],
        outcome=row["outcome"],
        hint_ko=row["hint_ko"],
        hint_en=row["hint_en"],
        script_ko=script_ko,
        script_en=script_en,
    )
