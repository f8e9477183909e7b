"""Sharing: at the moment of payment, what of it belongs to which seller; and taking that back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.money import Money
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import FEE_INCOME, SALES, VAT_PAYABLE, seller_payable
from opsapp.orders.events import LegsPaid
from opsapp.payments.events import PaymentFact, PaymentsPaid
from opsapp.settlement import queries, rules
from opsapp.settlement.models import SellerShare
from opsapp.settlement.queries import Sale
from opsapp.settlement.rules import Parts
from opsapp.subscriptions.finding_changes import CHANGE_SUBJECT
from opsapp.subscriptions.queries import SUBJECT as SUBSCRIPTION

SUBJECT = "seller_share"


@dataclass(frozen=True, slots=True)
class NewShare:
    """A row to be written, with the seller's name in the books."""

    kind: str
    seller_id: int
    seller_ref: str
    line_id: int | None
    payment_id: int | None
    parts: Parts
    currency: str
    cause_type: str
    cause_id: int
    reverses_id: int | None = None


@within_transaction
def on_legs_paid(event: LegsPaid) -> None:
    """Lines of an order. A leg that was paid, undone and paid again is shared again."""
    legs = {leg.leg_id: leg for leg in event.legs}
    lines = queries.list_sold_lines(list(legs))
    if not lines:
        return
    before = _latest(queries.list_sales_of_lines([line.id for line in lines]))
    by_seller = defaultdict(list)
    for line in lines:
        if not _stands(before.get(line.id)):
            by_seller[(line.leg_id, line.seller_id)].append(line)
    shares = []
    for (leg_id, seller_id), own in by_seller.items():
        parts = rules.split({line.id: line.amount_minor for line in own}, own[0].fee_bp)
        leg = legs[leg_id]
        shares += [
            NewShare(
                "sale", seller_id, own[0].seller_ref, line_id, leg.payment_id, part, leg.currency,
                *_cause(before.get(line_id), "leg", leg_id),
            )
            for line_id, part in parts.items()
        ]  # fmt: skip
    write_shares(shares)


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """Periods and changes of subscriptions to a seller's plan, unless an order's line has them."""
    facts = _subscriptions_of(event.payments)
    if not facts:
        return
    payment_ids = [fact.payment_id for _, fact in facts]
    plans = {
        row.id: row for row in queries.list_sold_periods([each for each, _ in facts], payment_ids)
    }
    if not plans:
        return
    sold = [
        (plans[each], fact)
        for each, fact in facts
        if each in plans and fact.payment_id not in (plans[each].leg_payments or ())
    ]
    before = {
        sale.payment_id: sale
        for sale in reversed(queries.list_sales_of_payments([f.payment_id for _, f in sold]))
    }
    write_shares(
        [
            NewShare(
                "sale", plan.seller_id, plan.seller_ref, None, fact.payment_id, part, fact.currency,
                *_cause(before.get(fact.payment_id), "payment", fact.payment_id),
            )
            for plan, fact in sold
            if not _stands(before.get(fact.payment_id))
            for part in rules.split({0: fact.amount_minor}, plan.fee_bp).values()
        ]
    )  # fmt: skip


@within_transaction
def write_shares(shares: Sequence[NewShare]) -> None:
    """Rows and books together. What was written for the same cause before is left alone."""
    if not shares:
        return
    identity = ("id", "kind", "seller_id", "line_id", "cause_type", "cause_id")
    written = bulk_insert(
        SellerShare, [_row(share) for share in shares], returning=identity, or_nothing=True
    )
    ids = {tuple(row)[1:]: row.id for row in written}
    new = [(ids[key], share) for share in shares if (key := _identity(share)) in ids]
    post([transfer for share_id, share in new for transfer in _transfers(share_id, share)])


def _subscriptions_of(facts: Iterable[PaymentFact]) -> list[tuple[int, PaymentFact]]:
    changes = [fact for fact in facts if fact.subject_type == CHANGE_SUBJECT]
    changed = queries.list_changed([fact.subject_id for fact in changes])
    own = [(fact.subject_id, fact) for fact in facts if fact.subject_type == SUBSCRIPTION]
    return own + [(changed[f.subject_id], f) for f in changes if f.subject_id in changed]


def _latest(sales: Sequence[Sale]) -> dict[int | None, Sale]:
    """By line; they come the latest first."""
    return {sale.line_id: sale for sale in reversed(sales)}


def _stands(sale: Sale | None) -> bool:
    return sale is not None and sale.left.gross_minor > 0


def _cause(before: Sale | None, cause_type: str, cause_id: int) -> tuple[str, int]:
    return (cause_type, cause_id) if before is None else ("share", before.id)


def _identity(share: NewShare) -> tuple[object, ...]:
    return (share.kind, share.seller_id, share.line_id, share.cause_type, share.cause_id)


def _row(share: NewShare) -> dict[str, object]:
    return {
        "kind": share.kind,
        "seller_id": share.seller_id,
        "reverses_id": share.reverses_id,
        "line_id": share.line_id,
        "payment_id": share.payment_id,
        "gross_minor": share.parts.gross_minor,
        "fee_minor": share.parts.fee_minor,
        "vat_minor": share.parts.vat_minor,
        "share_minor": share.parts.share_minor,
        "currency": share.currency,
        "cause_type": share.cause_type,
        "cause_id": share.cause_id,
    }


def _transfers(share_id: int, share: NewShare) -> list[Transfer]:
    """Out of sales into what is owed and earned; a reversal goes the other way."""
    sides = (
        ("share", seller_payable(share.seller_ref), share.parts.share_minor),
        ("fee", FEE_INCOME, share.parts.fee_minor),
        ("fee_vat", VAT_PAYABLE, share.parts.vat_minor),
    )
    is_sale = share.kind == "sale"
    return [
        Transfer(
            kind=name if is_sale else f"{name}_reversed",
            debit_account=SALES if is_sale else account,
            credit_account=account if is_sale else SALES,
            amount=Money(minor, share.currency),
            subject_type=SUBJECT,
            subject_id=share_id,
            payment_id=share.payment_id,
        )
        for name, account, minor in sides
        if minor
    ]
