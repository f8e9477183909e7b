"""The conformance tests ask the adapters for every code over HTTP; none may be left out."""

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

from opsapp.gateways import failures
from opsapp.gateways.failures import Failure

SEED = {(failure.source, failure.code) for failure in failures.read_seed()}
MODULES = (
    "test_failure_codes_toss",
    "test_failure_codes_portone",
    "test_failure_codes_stripe",
    "test_transport_codes",
)


def cases(module: ModuleType) -> Iterator[tuple[str, str]]:
    """(source, code) of what the module's tests are really run with."""
    for _, test in inspect.getmembers(module, inspect.isfunction):
        for mark in getattr(test, "pytestmark", []):
            if mark.name == "parametrize":
                for value in mark.args[1]:
                    yield from asked(value)


def asked(value: object) -> Iterator[tuple[str, str]]:
    """A row of the dictionary, or the bare name of what the network does."""
    if isinstance(value, Failure):
        yield value.source, value.code
    elif isinstance(value, str):
        yield "transport", value
    elif isinstance(value, tuple):
        for part in value:
            yield from asked(part)
    elif values := getattr(value, "values", None):  # pytest.param
        yield from asked(tuple(values) if not callable(values) else ())


@pytest.fixture(scope="module")
def proved() -> set[tuple[str, str]]:
    found = [importlib.import_module(f"tests.conformance.{name}") for name in MODULES]
    return {case for module in found for case in cases(module)} & SEED


def test_all_419_codes_are_asked_of_an_adapter(proved):
    assert len(SEED) == 419
    assert sorted(SEED - proved) == []


def test_no_case_of_them_is_skipped():
    for name in MODULES:
        module = importlib.import_module(f"tests.conformance.{name}")
        for _, test in inspect.getmembers(module, inspect.isfunction):
            marks = {mark.name for mark in getattr(test, "pytestmark", [])}
            assert not marks & {"skip", "skipif", "xfail"}, test.__name__
