"""Sellers: whose goods are sold here, and what the house keeps for it."""

from dataclasses import dataclass

from opsapp.catalog import queries, rules
from opsapp.catalog.errors import SellerChanged, SellerExists
from opsapp.catalog.models import Seller
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record

REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class NewSeller:
    """`ref` is what the shop calls it; `fee_bp` counts basis points. Raises Invalid."""

    ref: str
    name: str
    fee_bp: int

    def __post_init__(self) -> None:
        rules.check_code(self.ref, field="ref")
        object.__setattr__(self, "name", rules.check_name(self.name, field="name"))
        rules.check_fee(self.fee_bp)


@within_transaction
def add_seller(wish: NewSeller, *, by: Actor) -> int:
    """Returns its id; the same seller again is the same one. Raises SellerExists."""
    row = {"ref": wish.ref, "name": wish.name, "fee_bp": wish.fee_bp}
    written = bulk_insert(Seller, [row], returning=("id",), or_nothing=True)
    if not written:
        held = queries.get_seller_by_ref(wish.ref)
        if (held.name, held.fee_bp) != (wish.name, wish.fee_bp):
            raise SellerExists(field="ref", ref=wish.ref)
        return held.id
    seller_id = int(written[0].id)
    because = f"{wish.ref}, {wish.fee_bp} bp"
    record(Entry("seller.added", "seller", seller_id, because=because), by=by)
    return seller_id


@within_transaction
def change_fee(seller_id: int, fee_bp: int, *, seen_fee_bp: int, because: str, by: Actor) -> None:
    """Of what is paid from now on; shares that stand are never computed again.

    Raises NotFound, Invalid, SellerChanged if the fee is not what the screen showed.
    """
    rules.check_fee(fee_bp)
    reason = because.strip()
    if not reason or len(reason) > REASON_LENGTH_MAX:
        raise Invalid(field="reason", reason="Say why; it stands in the log.")
    seller = queries.lock_seller(seller_id)
    if seller.fee_bp != seen_fee_bp:
        raise SellerChanged(field="fee", fee_bp=seller.fee_bp)
    if seller.fee_bp == fee_bp:
        return
    detail = {"from_bp": seller.fee_bp, "to_bp": fee_bp}
    seller.fee_bp = fee_bp
    entry = Entry("seller.fee_changed", "seller", seller_id, because=reason, detail=detail)
    record(entry, by=by)
