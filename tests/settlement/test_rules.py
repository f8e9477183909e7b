from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

from opsapp.settlement.rules import NOTHING, Parts, reverse, split

won = st.integers(min_value=1, max_value=3_000_000)
fees = st.integers(min_value=0, max_value=9_000)
carts = st.dictionaries(st.integers(1, 10**6), won, min_size=1, max_size=12)


@settings(deadline=None)
@given(carts, fees, st.randoms(use_true_random=False))
def test_a_split_adds_up_and_nobody_is_off_by_more_than_one_won(cart, fee_bp, random):
    parts = split(cart, fee_bp)
    whole = sum(cart.values())
    exact_fee = Fraction(whole * fee_bp, 10_000)
    assert {key: each.gross_minor for key, each in parts.items()} == cart
    assert abs(sum(each.fee_minor for each in parts.values()) - exact_fee) < 1
    assert abs(sum(each.vat_minor for each in parts.values()) - exact_fee / 10) < 1
    exact_share = whole - exact_fee * Fraction(11, 10)
    assert abs(sum(each.share_minor for each in parts.values()) - exact_share) < 1
    assert all(min(p.fee_minor, p.vat_minor, p.share_minor) >= 0 for p in parts.values())
    mixed = list(cart.items())
    random.shuffle(mixed)
    assert split(dict(mixed), fee_bp) == parts


@settings(deadline=None)
@given(won, fees, st.lists(st.floats(0, 1), max_size=8))
def test_steps_of_refunds_leave_exactly_nothing_and_never_more_than_a_won_off(gross, fee_bp, cuts):
    [sale] = split({1: gross}, fee_bp).values()
    stops = sorted({int(cut * gross) for cut in cuts} | {gross} - {0})
    undone = NOTHING
    for stop in stops:
        if stop == undone.gross_minor:
            continue
        part = reverse(sale, undone, stop - undone.gross_minor)
        assert min(part.gross_minor, part.fee_minor, part.vat_minor, part.share_minor) >= 0
        undone += part
        for taken, of in (
            (undone.fee_minor, sale.fee_minor),
            (undone.vat_minor, sale.vat_minor),
            (undone.share_minor, sale.share_minor),
        ):
            assert abs(taken - Fraction(of * stop, gross)) <= 1
    assert sale - undone == NOTHING


def test_a_fee_of_ten_percent_takes_eleven_with_its_tax():
    assert split({7: 10_000}, 1_000) == {7: Parts(10_000, 1_000, 100)}


def test_many_small_lines_cost_a_seller_no_more_than_one_large_one():
    parts = split(dict.fromkeys(range(100), 7), 1_000)
    assert sum(each.share_minor for each in parts.values()) == 623  # of 700; line by line: 600
    assert split({1: 700}, 1_000)[1].share_minor == 623


@pytest.mark.parametrize("minor", [0, -1, 501])
def test_more_than_is_left_of_a_sale_cannot_be_taken_back(minor):
    sale = Parts(1_000, 100, 10)
    with pytest.raises(ValueError, match="left"):
        reverse(sale, Parts(500, 50, 5), minor)
