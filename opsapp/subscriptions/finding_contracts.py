"""Finding imported contracts: what is held under their names, and what they still lack."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import MethodStatus
from opsapp.kernel.db import db
from opsapp.subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class HeldContract:
    started_on: date
    anchor_day: int

    def __str__(self) -> str:
        return f"start {self.started_on}, day {self.anchor_day}"


def list_held_contracts(import_refs: Sequence[str]) -> dict[str, HeldContract]:
    columns = (Subscription.import_ref, Subscription.anchor_on, Subscription.anchor_day)
    held = select(*columns).where(Subscription.import_ref.in_(import_refs))
    return {row[0]: HeldContract(*row[1:]) for row in db.session.execute(held) if row[0]}


def list_unissued_methods(import_refs: Sequence[str]) -> list[int]:
    """Methods of these contracts that still want a billing key."""
    unissued = (
        select(PaymentMethod.id)
        .join(Subscription, Subscription.payment_method_id == PaymentMethod.id)
        .where(
            Subscription.import_ref.in_(import_refs),
            PaymentMethod.status == MethodStatus.REQUESTED.value,
        )
        .order_by(PaymentMethod.id)
    )
    return list(db.session.scalars(unissued))


def list_without_default_method(customer_ids: Sequence[int]) -> frozenset[int]:
    dead = [MethodStatus.DELETED.value, MethodStatus.REFUSED.value]
    having = select(PaymentMethod.customer_id).where(
        PaymentMethod.customer_id.in_(customer_ids),
        PaymentMethod.is_default,
        PaymentMethod.status.not_in(dead),
    )
    return frozenset(customer_ids) - frozenset(db.session.scalars(having))
