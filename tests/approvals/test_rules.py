"""What one person may do alone: decided by amount, role and currency, and never by luck."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from opsapp.approvals import rules
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money

AMOUNTS = st.integers(1, 10**9)
LIMIT = rules.SHIPPED.limits["cs"]


@given(AMOUNTS, st.sampled_from([*rules.ROLES, "auditor", None]))
def test_up_to_the_limit_one_person_is_enough_and_above_it_never(minor, role):
    why = rules.why_not_alone(rules.SHIPPED, role, Money(minor, "KRW"))
    assert (why == "") == (minor <= rules.SHIPPED.limit_of(role))
    assert rules.why_not_alone(rules.SHIPPED, role, Money(minor, "USD")) == "other_currency"


@given(st.lists(AMOUNTS, max_size=30), st.integers(0, 2000))
def test_a_bulk_job_passes_alone_only_if_rows_sum_and_each_amount_do(minors, rows):
    amounts = [Money(minor, "KRW") for minor in minors]
    why = rules.why_not_alone_in_bulk(rules.SHIPPED, "cs", rows, amounts)
    may = (
        rows <= rules.SHIPPED.bulk_rows
        and sum(minors) <= rules.SHIPPED.bulk_sum
        and all(minor <= LIMIT for minor in minors)
    )
    assert (why == "") == may


def test_a_version_read_back_is_the_version_that_was_written():
    assert rules.read(rules.as_json(rules.SHIPPED)) == rules.SHIPPED
    changed = replace(rules.SHIPPED, limits={**rules.SHIPPED.limits, "cs": 1}, bulk_rows=5)
    found = rules.differences(rules.SHIPPED, changed)
    assert found == [("bulk_rows", 1_000, 5), ("limit_cs", 300_000, 1)]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("refund_undo_minutes", {"refund_undo_minutes": 61}),
        ("bulk_undo_minutes", {"bulk_undo_minutes": -1}),
        ("expire_hours", {"answer_hours": 10, "expire_hours": 9}),
        ("limit_admin", {"limits": {"cs": 1, "finance": 1, "admin": -1}}),
        ("bulk_sum", {"bulk_sum": -1}),
    ],
)
def test_a_version_that_makes_no_sense_names_its_field(field, changes):
    with pytest.raises(Invalid) as refused:
        rules.check(replace(rules.SHIPPED, **changes))
    assert refused.value.field == field
