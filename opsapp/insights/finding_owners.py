"""Finding whose something is."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, select

from opsapp.customers.models import Customer
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.payments.models import Payment
from opsapp.staff.models import StaffAccount
from opsapp.subscriptions.models import Subscription

_OWNERS: dict[str, tuple[Any, Any]] = {
    "customer": (Customer.id, Customer.id),
    "payment": (Payment.id, Payment.customer_id),
    "subscription": (Subscription.id, Subscription.customer_id),
}


def find_customer_of(subject_type: str, subject_id: int) -> int:
    """Raises NotFound."""
    key, owner = _OWNERS[subject_type]
    found: int | None = db.session.scalar(select(owner).where(key == subject_id))
    if found is None:
        raise NotFound(noun=subject_type, id=subject_id)
    return found


def name_of_actor(actor: Any) -> ColumnElement[str]:
    """The name behind a column that holds `staff:12`; NULL for other actors."""
    is_staff = actor.regexp_match("^staff:[0-9]{1,18}$")
    account_id = case((is_staff, cast(func.substr(actor, 7), BigInteger)))
    return select(StaffAccount.name).where(StaffAccount.id == account_id).scalar_subquery()
