"""Opening: a shopper is asked for a sum by a link; nothing is owed before they choose how."""

from dataclasses import dataclass
from datetime import timedelta

from opsapp.checkout.errors import CheckoutOver
from opsapp.checkout.models import Checkout
from opsapp.checkout.queries import lock_checkout
from opsapp.checkout.states import CHECKOUT, CheckoutStatus
from opsapp.customers.linking import end_links, issue_link
from opsapp.customers.queries import get_customer
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.kernel.money import Money
from opsapp.orders.placing import REF_LENGTH_MAX, TITLE_LENGTH_MAX

PURPOSE = "checkout"
LIFE = timedelta(days=3)
LIFE_MAX = timedelta(days=30)
AMOUNT_MINOR_MAX = 1_000_000_000
ADDRESS_SHOWN = "another address was shown"


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """`order_ref`: the shop's own number, or None for one of ours. Raises Invalid."""

    customer_id: int
    title: str
    amount: Money
    order_ref: str | None = None
    life: timedelta = LIFE

    def __post_init__(self) -> None:
        if not 1 <= len(self.title.strip()) <= TITLE_LENGTH_MAX:
            raise Invalid(field="title", reason=f"must have 1 to {TITLE_LENGTH_MAX} characters.")
        if not 0 < self.amount.minor <= AMOUNT_MINOR_MAX:
            raise Invalid(field="amount", reason=f"must be above 0 and at most {AMOUNT_MINOR_MAX}.")
        if self.order_ref is not None and not 1 <= len(self.order_ref) <= REF_LENGTH_MAX:
            raise Invalid(field="order_ref", reason=f"must have 1 to {REF_LENGTH_MAX} characters.")
        if not timedelta(hours=1) <= self.life <= LIFE_MAX:
            raise Invalid(field="life", reason=f"must be 1 hour to {LIFE_MAX.days} days.")


@within_transaction
def open_checkout(wish: NewCheckout, *, by: Actor) -> tuple[int, str]:
    """Returns the id and the token of its link, which is kept nowhere. Raises NotFound."""
    get_customer(wish.customer_id)
    now = clock.now()
    checkout = Checkout(
        ref=new_ref("co"),
        customer_id=wish.customer_id,
        order_ref=wish.order_ref or new_ref("link"),
        title=" ".join(wish.title.split()),
        amount_minor=wish.amount.minor,
        currency=wish.amount.currency,
        status=CHECKOUT.start.value,
        opened_by=str(by),
        opened_at=now,
        expires_at=now + wish.life,
    )
    db.session.add(checkout)
    db.session.flush()
    record(Entry("checkout.opened", PURPOSE, checkout.id, to_state=CHECKOUT.start.value), by=by)
    return checkout.id, _issue(checkout, by=by)


@within_transaction
def link_to(checkout: Checkout, *, by: Actor) -> str:
    """Another token for the same link; the earlier ones stay good. Raises CheckoutOver.

    It is in the log: who holds it sees and does what its customer may.
    """
    if checkout.status != CheckoutStatus.OPEN:
        raise CheckoutOver(status=checkout.status)
    record(Entry("checkout.address_shown", PURPOSE, checkout.id, because=ADDRESS_SHOWN), by=by)
    return _issue(checkout, by=by)


def _issue(checkout: Checkout, *, by: Actor) -> str:
    return issue_link(
        checkout.customer_id,
        purpose=PURPOSE,
        subject_type=PURPOSE,
        subject_id=checkout.id,
        life=max(checkout.expires_at - clock.now(), timedelta(hours=1)) + LIFE,
        by=by,
    )


@within_transaction
def cancel(checkout_id: int, *, by: Actor) -> None:
    """Staff take it back; what is under way at a gateway goes on to its certain end.

    Raises NotFound, IllegalMove.
    """
    checkout = lock_checkout(checkout_id)
    because = "withdrawn by staff"
    CHECKOUT.move(checkout, CheckoutStatus.CANCELLED, because=because, by=by)
    checkout.ended_at = clock.now()
    end_links(PURPOSE, PURPOSE, checkout_id)
