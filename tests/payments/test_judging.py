from itertools import product

import pytest
from hypothesis import given, strategies as st

from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel.money import Money
from opsapp.payments.judging import Finding, Held, judge_settled
from opsapp.payments.states import AttemptStatus as A

F = Finding


def won(minor):
    return Money(minor, "KRW")


def held(status=A.SUCCEEDED, **what):
    return Held(status=status, payment_status="paid", expected=won(9900), **what)


def says(outcome, *, refunded=0, deposited=None, amount=9900):
    arrived = None if deposited is None else won(deposited)
    return Answer(outcome, amount=won(amount), refunded=won(refunded), deposited=arrived)


APPROVED, PENDING, DECLINED = Outcome.APPROVED, Outcome.PENDING, Outcome.DECLINED
ACCOUNT = {"has_deposits": True, "deposited_minor": 9900}
PAID = [
    ("all as we know it", says(APPROVED), held(), F.SAME),
    ("our refund", says(APPROVED, refunded=900), held(refunded_minor=900), F.SAME),
    ("somebody's refund", says(APPROVED, refunded=900), held(), F.REFUNDED_THERE),
    (
        "ours and more",
        says(APPROVED, refunded=900),
        held(refunded_minor=400),
        F.REFUNDED_THERE,
    ),
    (
        "ours is under way",
        says(APPROVED, refunded=900),
        held(has_open_refund=True),
        F.UNKNOWN,
    ),
    ("ours is stuck", says(APPROVED, refunded=900), held(stuck_refund_id=1), F.REOPENED),
    (
        "ours is planned",
        says(APPROVED, refunded=900),
        held(has_planned_refund=True),
        F.DISAGREES,
    ),
    ("a cancel that came to nothing", says(APPROVED), held(refunded_minor=900), F.DISAGREES),
    ("another amount", says(APPROVED, amount=9000), held(), F.DISAGREES),
    ("no money there", says(DECLINED), held(), F.NOT_PAID_THERE),
    ("the deposit", says(APPROVED, deposited=9900), held(**ACCOUNT), F.SAME),
    ("a second deposit", says(APPROVED, deposited=10900), held(**ACCOUNT), F.LATE_DEPOSIT),
    ("the deposit is gone", says(PENDING, deposited=0), held(**ACCOUNT), F.DEPOSIT_REVERSED),
    ("the account is gone too", says(DECLINED), held(**ACCOUNT), F.DEPOSIT_REVERSED),
    ("gone, as we know", says(PENDING, deposited=0), held(has_deposits=True), F.SAME),
    ("not known there", says(Outcome.NOT_FOUND), held(), F.UNKNOWN),
    ("no answer", says(Outcome.UNKNOWN), held(), F.UNKNOWN),
    ("not reached", says(Outcome.NOT_SENT), held(), F.UNKNOWN),
]
UNPAID = [
    ("nothing there either", says(DECLINED), {}, F.SAME),
    ("not known there", says(Outcome.NOT_FOUND), {}, F.SAME),
    ("approved after all", says(APPROVED), {}, F.LATE_APPROVAL),
    ("approved and given back there", says(APPROVED, refunded=9900), {}, F.SAME),
    ("approved, and held", says(APPROVED), {"late_minor": 9900}, F.SAME),
    (
        "held and returned",
        says(APPROVED, refunded=9900),
        {"late_minor": 9900, "refunded_minor": 9900},
        F.SAME,
    ),
    (
        "held, returned there",
        says(APPROVED, refunded=9900),
        {"late_minor": 9900},
        F.REFUNDED_THERE,
    ),
    ("paid in late", says(APPROVED, deposited=9900), {}, F.LATE_DEPOSIT),
    ("part paid in late", says(PENDING, deposited=100), {}, F.LATE_DEPOSIT),
    ("paid in late, and held", says(APPROVED, deposited=9900), ACCOUNT, F.SAME),
    ("paid in late, and gone", says(DECLINED, deposited=0), ACCOUNT, F.DEPOSIT_REVERSED),
    ("paid in late, and not told of", says(DECLINED), ACCOUNT, F.SAME),
    ("part paid in, and gone", says(PENDING, deposited=0), ACCOUNT, F.DEPOSIT_REVERSED),
    ("a part, in an account that is open there", says(PENDING, deposited=9900), ACCOUNT, F.SAME),
    ("shown at its window, and nobody agreed", says(Outcome.IN_PROGRESS), {}, F.SAME),
    ("an account that is open there", says(PENDING, deposited=0), {}, F.UNKNOWN),
    ("no answer", says(Outcome.UNKNOWN), {}, F.UNKNOWN),
]
STUCK = [
    ("approved", says(APPROVED), F.REOPENED),
    ("declined", says(DECLINED), F.REOPENED),
    ("waits for the deposit", says(PENDING), F.REOPENED),
    ("approved with another amount, which a person knows", says(APPROVED, amount=1), F.SAME),
    ("still no answer", says(Outcome.UNKNOWN), F.UNKNOWN),
    ("not found", says(Outcome.NOT_FOUND), F.UNKNOWN),
]


@pytest.mark.parametrize(("answer", "books", "finding"), [row[1:] for row in PAID],
                         ids=[row[0] for row in PAID])  # fmt: skip
def test_what_the_gateway_says_of_a_paid_attempt(answer, books, finding):
    assert judge_settled(answer, books) is finding


@pytest.mark.parametrize("status", [A.DECLINED, A.WITHDRAWN])
@pytest.mark.parametrize(("answer", "books", "finding"), [row[1:] for row in UNPAID],
                         ids=[row[0] for row in UNPAID])  # fmt: skip
def test_what_the_gateway_says_of_an_attempt_without_money(status, answer, books, finding):
    assert judge_settled(answer, held(status, **books)) is finding


@pytest.mark.parametrize(("answer", "finding"), [row[1:] for row in STUCK],
                         ids=[row[0] for row in STUCK])  # fmt: skip
def test_what_the_gateway_says_of_an_attempt_that_waits_for_a_person(answer, finding):
    assert judge_settled(answer, held(A.NEEDS_HUMAN)) is finding


sums = st.integers(0, 3).map(lambda n: n * 3300)
books = st.builds(
    held,
    st.sampled_from([A.SUCCEEDED, A.DECLINED, A.WITHDRAWN, A.NEEDS_HUMAN]),
    refunded_minor=sums,
    has_open_refund=st.booleans(),
    has_planned_refund=st.booleans(),
    stuck_refund_id=st.none() | st.just(1),
    has_deposits=st.booleans(),
    deposited_minor=sums,
    late_minor=sums,
    is_decided=st.booleans(),
)
answers = st.builds(
    Answer,
    st.sampled_from(Outcome),
    amount=st.none() | sums.map(won),
    refunded=st.none() | sums.map(won),
    deposited=st.none() | sums.map(won),
)


@given(answers, books)
def test_whatever_a_gateway_says_there_is_one_finding(answer, books):
    assert judge_settled(answer, books) in F


@given(answers, books)
def test_without_a_definite_answer_nothing_is_written_to_the_books(answer, books):
    if answer.outcome not in (APPROVED, PENDING, DECLINED):
        assert judge_settled(answer, books) in (F.UNKNOWN, F.SAME)


def test_money_is_never_adopted_while_a_refund_of_ours_may_be_part_of_it():
    for given_back, known in product((0, 3300, 9900), repeat=2):
        finding = judge_settled(
            says(APPROVED, refunded=given_back), held(refunded_minor=known, has_open_refund=True)
        )
        assert finding in (F.SAME, F.UNKNOWN)
