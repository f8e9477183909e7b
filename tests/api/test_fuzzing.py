"""Whatever the document allows is taken, whatever it forbids is refused, and nothing breaks.

A small, repeatable part of what `schemathesis run` does; docs/runbooks/api.md has the whole.
"""

import itertools

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.api import shop

EXAMPLES = 3
numbers = itertools.count()


@pytest.fixture
def document(app, program):
    furnished = shop.furnish()
    found = {
        "customer_id": shop.CUSTOMER,
        "order_id": shop.ORDER,
        "payment_id": furnished.payment,
        "payment_method_id": furnished.method,
        "subscription_id": furnished.subscription,
    }
    headers = {"Authorization": f"Bearer {program.secret}"}
    return schemathesis.openapi.from_wsgi("/api/openapi.json", app), headers, found


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_finds_a_fault_a_broken_promise_or_a_way_around_the_key(document, mode):
    schema, headers, found = document
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            nonlocal tried
            tried += 1
            if mode is GenerationMode.POSITIVE:
                if tried % 2:
                    case.path_parameters.update(
                        {n: v for n, v in found.items() if n in case.path_parameters}
                    )
                if "Idempotency-Key" in case.headers:
                    case.headers["Idempotency-Key"] = f"fuzz-{next(numbers)}"
            case.call_and_validate(headers=headers)

        ask()
    assert tried > 90
