"""Whose number it is, and what an answer means: every answer ends in a state."""

import pytest
from hypothesis import given, strategies as st

from opsapp.cash_receipts import rules
from opsapp.cash_receipts.rules import Ask
from opsapp.cash_receipts.states import ReceiptStatus as S
from opsapp.gateways.values import Answer, CashReceipt, Outcome
from opsapp.kernel.errors import Invalid


@pytest.mark.parametrize(
    ("kind", "text", "number", "masked"),
    [
        ("income_deduction", "010-1234-5678", "01012345678", "010-****-5678"),
        ("income_deduction", " 011 234 5678", "0112345678", "011-****-5678"),
        ("expense_proof", "220-81-62517", "2208162517", "******2517"),
    ],
)
def test_a_number_is_read_as_people_write_it_and_shown_masked(kind, text, number, masked):
    read = rules.read_registration(kind, text)
    assert (read.number, read.masked) == (number, masked)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("income_deduction", ""),
        ("income_deduction", "02-123-4567"),
        ("income_deduction", "０１０12345678"),
        ("income_deduction", "4330-1234-5678-9012"),
        ("income_deduction", "220-81-62517"),
        ("expense_proof", "220-81-62518"),
        ("expense_proof", "010-1234-5678"),
        ("expense_proof", "4330123456789012"),
    ],
)
def test_a_card_number_a_wrong_check_digit_and_a_landline_are_refused(kind, text):
    with pytest.raises(Invalid) as refused:
        rules.read_registration(kind, text)
    assert refused.value.field == "receipt_number"


@given(st.text(alphabet="0123456789", min_size=9, max_size=9))
def test_of_ten_business_numbers_that_differ_in_the_last_digit_one_is_right(nine):
    def is_right(text):
        try:
            rules.read_registration("expense_proof", text)
        except Invalid:
            return False
        return True

    assert sum(is_right(f"{nine}{last}") for last in range(10)) == 1


RECEIPTS = st.none() | st.builds(
    CashReceipt,
    receipt_key=st.just("key"),
    status=st.sampled_from(["in_progress", "issued", "failed", "cancelled"]),
    failure_code=st.none() | st.just("CODE"),
)
ALLOWED = {
    Ask.ISSUE: {S.REQUESTED, S.IN_PROGRESS, S.ISSUED, S.FAILED, S.NEEDS_HUMAN},
    Ask.FIND: {S.IN_PROGRESS, S.ISSUED, S.FAILED, S.NEEDS_HUMAN},
    Ask.CANCEL: {S.CANCELLING, S.NEEDS_HUMAN},
    Ask.FIND_CANCEL: {S.CANCELLING, S.NEEDS_HUMAN},
}


@given(
    st.sampled_from(Ask),
    st.sampled_from(Outcome),
    RECEIPTS,
    st.integers(1, 80),
    st.booleans(),
)
def test_any_answer_ends_in_a_state_that_its_question_allows(ask, outcome, receipt, turns, honours):
    answer = Answer(outcome, cash_receipt=receipt)
    verdict = rules.judge(ask, answer, turns=turns, honours_keys=honours)
    assert verdict.status in ALLOWED[ask]
    is_cancelled = receipt is not None and receipt.status == "cancelled"
    assert verdict.is_done == (is_cancelled and ask in (Ask.CANCEL, Ask.FIND_CANCEL))
    if verdict.status is S.ISSUED:
        assert receipt is not None
        assert receipt.status == "issued"


def test_a_cancel_is_not_repeated_where_a_repeat_might_cancel_twice():
    answer = Answer(Outcome.UNKNOWN)
    verdict = rules.judge(Ask.CANCEL, answer, turns=1, honours_keys=False)
    assert verdict.status is S.NEEDS_HUMAN


def test_a_look_is_hourly_for_a_day_and_ends_after_ten():
    waits = [rules.look_after(turns) for turns in range(1, rules.LOOKS_MAX)]
    assert 9 <= sum(wait.total_seconds() for wait in waits) / 86_400 <= 11
    late = rules.judge(
        Ask.FIND, Answer(Outcome.NOT_FOUND), turns=rules.LOOKS_MAX, honours_keys=True
    )
    assert late.status is S.NEEDS_HUMAN
