import pytest
from sqlalchemy import func, select

from opsapp.customers import registering
from opsapp.customers.models import Customer
from opsapp.customers.queries import customer_key_context
from opsapp.customers.registering import NewCustomer
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import AuditEntry

BY = Actor("cli", "test")


def customer(ref: str = "c-1", **values) -> NewCustomer:
    fields = {"name": "홍길동", "email": "a@example.com", "phone": "010-1234-5678"} | values
    return NewCustomer(ref, **fields)


def register(*wishes: NewCustomer) -> dict[str, int]:
    with transaction():
        return registering.register_customers(wishes, by=BY)


def test_a_known_customer_stays_as_they_are(app):
    before = register(customer(name="홍길동"))
    after = register(customer(name="김철수"), customer("c-2"), customer("c-2", name="박영희"))
    assert after["c-1"] == before["c-1"]
    with transaction():
        names = db.session.scalars(select(Customer.name).order_by(Customer.id)).all()
    assert names == ["홍길동", "홍길동"]


def test_each_customer_has_a_gateway_name_of_their_own_that_opens_only_in_its_place(app):
    register(customer("c-1"), customer("c-2"))
    with transaction():
        rows = db.session.scalars(select(Customer).order_by(Customer.id)).all()
        keys = [
            unseal(row.customer_key_sealed, context=customer_key_context(row.customer_ref))
            for row in rows
        ]
    assert len(set(keys)) == 2
    assert all(key.startswith("ck_") for key in keys)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"ref": ""}, "customer_ref"),
        ({"ref": "a b"}, "customer_ref"),
        ({"ref": "x" * 65}, "customer_ref"),
        ({"name": " "}, "name"),
        ({"name": "가" * 101}, "name"),
        ({"name": "줄\u0000"}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": "a@b.com\nBcc: x@y.com"}, "email"),
        ({"email": "a" * 250 + "@b.com"}, "email"),
        ({"phone": "12"}, "phone"),
        ({"phone": "전화번호"}, "phone"),
        ({"phone": "010-1234-5678-9012-3456"}, "phone"),
        ({"locale": "fr"}, "locale"),
    ],
)
def test_a_customer_that_cannot_be_is_refused_by_the_field(values, field):
    with pytest.raises(Invalid) as refused:
        customer(**values)
    assert refused.value.field == field


def test_a_change_is_logged_by_the_names_of_the_fields_only(app):
    customer_id = register(customer())["c-1"]
    with transaction():
        registering.change_contact(
            customer_id, name="홍길동", email="new@example.com", phone="010-9999-0000", locale="ko",
            by=BY,
        )  # fmt: skip
    with transaction():
        entry = db.session.scalars(
            select(AuditEntry).where(AuditEntry.action == "customer.changed")
        ).one()
    assert entry.detail == {"fields": "email, phone"}


def test_nobody_is_changed_by_a_wrong_number_or_a_wrong_value(app):
    values = {"name": "김", "email": "a@example.com", "phone": "010-1234-5678", "locale": "ko"}
    with pytest.raises(NotFound), transaction():
        registering.change_contact(404, **values, by=BY)
    customer_id = register(customer())["c-1"]
    with pytest.raises(Invalid), transaction():
        registering.change_contact(customer_id, **(values | {"locale": "xx"}), by=BY)
    with transaction():
        assert db.session.scalars(select(func.count()).select_from(AuditEntry)).one() == 1
