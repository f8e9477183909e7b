import pytest
from sqlalchemy import select

from opsapp.catalog.errors import PlanIsFixed
from opsapp.catalog.models import Plan
from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money

BY = Actor("cli", "test")


def plan(code: str = "basic", amount: int = 9900, **terms) -> NewPlan:
    return NewPlan(code, terms.pop("name", "기본"), Money(amount, "KRW"), **terms)


def add(*wishes: NewPlan) -> dict[str, int]:
    with transaction():
        return add_plans(wishes, by=BY)


def test_adding_the_same_plans_again_gives_the_same_ids(app):
    assert add(plan("a"), plan("b"), plan("a")) == add(plan("b"), plan("a"))


@pytest.mark.parametrize(
    "other", [plan(amount=8800), plan(interval="week"), plan(interval_count=2)]
)
def test_a_plan_keeps_its_price_and_rhythm(app, other):
    add(plan())
    with pytest.raises(PlanIsFixed, match="Give the new price a plan code of its own"):
        add(plan("new"), other)
    with transaction():
        assert db.session.scalars(select(Plan.code)).all() == ["basic"]


def test_two_prices_for_one_code_in_one_call_are_refused(app):
    with pytest.raises(PlanIsFixed):
        add(plan(), plan(amount=8800))


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"code": "<b>"}, "plan_code"),
        ({"code": "x" * 65}, "plan_code"),
        ({"name": "  "}, "plan_name"),
        ({"name": "가\x00나"}, "plan_name"),
        ({"name": "가" * 101}, "plan_name"),
        ({"interval": "year"}, "interval"),
        ({"interval_count": 0}, "interval_count"),
        ({"interval_count": 367}, "interval_count"),
        ({"amount": 0}, "amount"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_its_field(terms, field):
    with pytest.raises(Invalid) as refused:
        plan(**terms)
    assert refused.value.field == field
