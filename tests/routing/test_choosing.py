"""Which gateway takes a payment, with two of them installed."""

from typing import Any

import pytest

from opsapp.gateways import registry
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.toss import TossGateway
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.money import Money
from opsapp.routing import editing, pausing, queries
from opsapp.routing.choosing import choose_gateway, list_offers
from opsapp.routing.editing import NewRoute
from opsapp.routing.errors import NoRoute

BY = Actor("cli", "test")
WON = Money(10_000, "KRW")


class Other(TossGateway):
    name = "other"


@pytest.fixture
def two(app: Any) -> None:
    toss = gateway_named("toss")
    other: Any = Other.__new__(Other)
    other.__dict__.update(vars(toss))
    registry.connect([toss, other])


def add(gateway: str, first: int = 0, last: int | None = None, kind: str = "card") -> int:
    with transaction():
        return editing.add_route(NewRoute(kind, "KRW", gateway, first, last), by=BY)


def chosen(amount: Money = WON, **how: Any) -> str:
    with transaction():
        return choose_gateway("card", amount, **how)


def stop(gateway: str) -> None:
    with transaction():
        pausing.pause(gateway, because="test", by=BY)


def test_without_routes_the_first_gateway_that_is_well_takes_it(two):
    assert chosen() == "toss"
    stop("toss")
    assert chosen() == "other"
    stop("other")
    with pytest.raises(NoRoute, match="toss is paused; other is paused"):
        chosen()


def test_whoever_has_been_asked_already_is_not_asked_again(two):
    assert chosen(not_these=frozenset({"toss"})) == "other"
    with pytest.raises(NoRoute, match="none is set up"):
        chosen(not_these=frozenset({"toss", "other"}))


def test_routes_decide_by_kind_amount_and_order_and_can_be_arranged(two):
    add("other", 0, 9_999)
    big, rest = add("other", 50_000), add("toss")
    assert (chosen(Money(9_999, "KRW")), chosen(WON)) == ("other", "toss")
    assert chosen(Money(50_000, "KRW")) == "other"
    with transaction():
        editing.move_up(rest, by=BY)
    assert chosen(Money(50_000, "KRW")) == "toss"
    with transaction():
        editing.set_active(rest, False, by=BY)
    assert chosen(Money(50_000, "KRW")) == "other"
    with pytest.raises(NoRoute):
        chosen(WON)
    with transaction():
        positions = {route.id: route.position for route in queries.list_routes()}
    assert (positions[rest], positions[big]) == (2, 3)


def test_moving_the_first_route_up_changes_nothing(two):
    first, second = add("toss"), add("other")
    with transaction():
        editing.move_up(first, by=BY)
    with transaction():
        assert [route.id for route in queries.list_routes()] == [first, second]


@pytest.mark.parametrize(
    "wish",
    [
        NewRoute("card", "KRW", "nobody"),
        NewRoute("cheque", "KRW", "toss"),
        NewRoute("card", "USD", "toss"),
        NewRoute("card", "KRW", "toss", 2, 1),
        NewRoute("card", "KRW", "toss", -1),
        NewRoute("card", "KRW", "toss", 0, 2**63),
    ],
)
def test_a_route_that_could_never_be_taken_is_refused(two, wish):
    with pytest.raises(Invalid), transaction():
        editing.add_route(wish, by=BY)


def test_an_unknown_route_is_not_found(two):
    with pytest.raises(NotFound), transaction():
        editing.move_up(7, by=BY)


def test_offers_are_the_kinds_that_somebody_takes_now(two):
    with transaction():
        everything = list_offers(WON)
        too_little = list_offers(Money(150, "KRW"))
    assert set(everything) == {"card", "transfer", "easy_pay", "mobile", "virtual_account"}
    assert "card" in too_little
    assert "transfer" not in too_little
    stop("toss")
    stop("other")
    with transaction():
        assert list_offers(WON) == []


def test_every_change_of_a_route_is_in_the_log(two, owner):
    first, second = add("toss"), add("other")
    with transaction():
        editing.move_up(second, by=BY)
        editing.set_active(first, False, by=BY)
        editing.set_active(first, True, by=BY)
    told = owner.execute(
        "SELECT action FROM audit_entries WHERE subject_type = 'gateway_route' ORDER BY id"
    ).fetchall()
    assert [action for (action,) in told] == [
        "gateway_route.added",
        "gateway_route.added",
        "gateway_route.moved",
        "gateway_route.deactivated",
        "gateway_route.activated",
    ]
