"""Opening: a shopper is asked for a sum by a link; nothing is owed before they choose how."""

from dataclasses import dataclass
from datetime import timedelta

from opsapp.checkout import keeping, pricing, queries, rules
from opsapp.checkout.errors import CheckoutOver, OrderRefTaken
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
from opsapp.orders import releasing
from opsapp.orders.placing import (
    AMOUNT_MINOR_MAX,
    LINES_MAX,
    REF_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    LineWish,
)
from opsapp.orders.queries import stand_in_line
from opsapp.orders.states import ON_FAILURE
from opsapp.settings import current

PURPOSE = "checkout"
LIFE = timedelta(days=3)
LIFE_MAX = timedelta(days=30)
ADDRESS_SHOWN = "another address was shown"


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """`order_ref`: the shop's own number, or None for one of ours. Either `amount` or `lines`.

    `return_url`: where the result page leads, a page of the shop. Raises Invalid.
    """

    customer_id: int
    title: str
    amount: Money | None = None
    order_ref: str | None = None
    life: timedelta = LIFE
    lines: tuple[LineWish, ...] = ()
    on_failure: str = "hold"
    return_url: str | None = None
    points_allowed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.title.strip()) <= TITLE_LENGTH_MAX:
            raise Invalid(field="title", reason=f"must have 1 to {TITLE_LENGTH_MAX} characters.")
        if self.lines and self.amount is not None:
            raise Invalid(field="amount", reason="is the sum of the lines where there are some.")
        if not self.lines and self.amount is None:
            raise Invalid(field="amount", reason="is missing, and there are no lines.")
        if self.amount is not None and not 0 < self.amount.minor <= AMOUNT_MINOR_MAX:
            raise Invalid(field="amount", reason=f"must be above 0 and at most {AMOUNT_MINOR_MAX}.")
        if len(self.lines) > LINES_MAX:
            raise Invalid(field="lines", reason=f"must be at most {LINES_MAX}.")
        if len({line.unit_price.currency for line in self.lines}) > 1:
            raise Invalid(field="lines", reason="must all have the same currency.")
        if sum(line.amount.minor for line in self.lines) > AMOUNT_MINOR_MAX:
            raise Invalid(field="lines", reason=f"must sum up to at most {AMOUNT_MINOR_MAX}.")
        if self.order_ref is not None and not 1 <= len(self.order_ref) <= REF_LENGTH_MAX:
            raise Invalid(field="order_ref", reason=f"must have 1 to {REF_LENGTH_MAX} characters.")
        if not timedelta(hours=1) <= self.life <= LIFE_MAX:
            raise Invalid(field="life", reason=f"must be 1 hour to {LIFE_MAX.days} days.")
        if self.on_failure not in ON_FAILURE:
            raise Invalid(field="on_failure", reason=f"must be one of {', '.join(ON_FAILURE)}.")
        if self.return_url is not None:
            rules.check_return_url(
                self.return_url,
                origins=current().shop_origins.split(","),
                allows_loopback=current().mode != "production",
            )


@within_transaction
def open_checkout(wish: NewCheckout, *, by: Actor) -> tuple[int, str]:
    """Returns the id and the token of its link, which is kept nowhere.

    Raises NotFound, OrderRefTaken.
    """
    get_customer(wish.customer_id)
    stand_in_line([wish.order_ref] if wish.order_ref else [])
    if wish.order_ref and queries.is_ref_taken(wish.order_ref):
        raise OrderRefTaken(field="order_ref", order_ref=wish.order_ref)
    now = clock.now()
    due = wish.amount or pricing.price(wish.lines, today=clock.seoul_date(now)).now
    checkout = Checkout(
        ref=new_ref("co"),
        customer_id=wish.customer_id,
        order_ref=wish.order_ref or new_ref("link"),
        title=" ".join(wish.title.split()),
        amount_minor=due.minor,
        currency=due.currency,
        cart=keeping.as_cart(wish.lines),
        on_failure=wish.on_failure,
        return_url=wish.return_url,
        points_allowed=wish.points_allowed,
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
    """Staff take it back; what is under way at a gateway goes on to its certain end, and what
    has failed is given up.

    Raises NotFound, IllegalMove.
    """
    checkout = lock_checkout(checkout_id)
    because = "withdrawn by staff"
    CHECKOUT.move(checkout, CheckoutStatus.CANCELLED, because=because, by=by)
    checkout.ended_at = clock.now()
    end_links(PURPOSE, PURPOSE, checkout_id)
    if checkout.order_id is not None:
        releasing.hold_no_longer([checkout.order_id])
