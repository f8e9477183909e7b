import pytest
from hypothesis import given, strategies as st

from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import BIGINT_MAX, EXPONENTS, Money, parse_money

amounts = st.integers(min_value=1, max_value=10**12)


@given(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_a_split_loses_and_makes_no_unit(minor, weights):
    shares = Money(minor, "KRW").split(weights)
    assert sum(share.minor for share in shares) == minor
    assert all(share.minor >= 0 for share in shares)


@given(amounts, st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_a_share_is_never_a_unit_away_from_its_exact_part(minor, weights):
    for share, weight in zip(Money(minor, "KRW").split(weights), weights, strict=True):
        assert abs(share.minor - minor * weight / sum(weights)) < 1


@given(amounts)
def test_what_is_written_is_read_back(minor):
    assert parse_money(f"{minor:,}", "KRW") == Money(minor, "KRW")
    assert parse_money(f"{minor // 100}.{minor % 100:02}", "USD") == Money(minor, "USD")


@pytest.mark.parametrize(
    ("text", "currency", "field", "why"),
    [
        ("0", "KRW", "amount", "above 0"),
        ("-5", "KRW", "amount", "not a number"),
        ("", "KRW", "amount", "not a number"),
        ("12.5", "KRW", "amount", "0 decimal places"),
        ("12.345", "USD", "amount", "2 decimal places"),
        ("1e5", "KRW", "amount", "not a number"),
        ("NaN", "KRW", "amount", "not a number"),
        ("١٢", "KRW", "amount", "not a number"),
        ("1.²", "USD", "amount", "not a number"),
        ("1.٣", "USD", "amount", "not a number"),
        (str(BIGINT_MAX + 1), "KRW", "amount", "larger than any"),
        ("9" * 400, "KRW", "amount", "larger than any"),
        ("100", "XXX", "currency", "not one of"),
        ("100", "krw", "currency", "not one of"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_with_field_and_reason(text, currency, field, why):
    with pytest.raises(Invalid, match=why) as refused:
        parse_money(text, currency)
    assert refused.value.field == field


def test_currencies_do_not_mix():
    with pytest.raises(ValueError, match="do not mix"):
        Money(1, "KRW") + Money(1, "USD")


@pytest.mark.parametrize("minor", [1.0, "1", True, None])
def test_money_is_whole_units_and_nothing_else(minor):
    with pytest.raises(ValueError, match="not whole minor units"):
        Money(minor, "KRW")


def test_every_currency_taken_has_an_exponent():
    assert EXPONENTS["KRW"] == 0
