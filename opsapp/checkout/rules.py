"""How far a payment link has come, as its shopper has to understand it; where they may be led."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from urllib.parse import urlsplit

from opsapp.checkout.states import CheckoutStatus
from opsapp.kernel.errors import Invalid
from opsapp.orders.rules import SETTLED, LegState


class Stage(StrEnum):
    CHOOSE = "choose"  # nothing chosen yet
    AT_WINDOW = "at_window"  # the gateway's page is open, or was left
    CHECKING = "checking"  # nobody may pay again before the answer is certain
    CONTACT = "contact"  # the same, and a person has to find out
    DEPOSIT = "deposit"  # an account waits for the money
    FAILED = "failed"  # no money moved; another way may be chosen
    PAID = "paid"
    PARTLY = "partly"  # paid in part, and the rest was given up
    REFUNDED = "refunded"
    OVER = "over"  # nothing can be paid by this link any more


# In these the shopper may choose how to pay, for the first time or again.
OPEN_STAGES = (Stage.CHOOSE, Stage.AT_WINDOW, Stage.FAILED)
# In these the truth is on its way by itself.
MOVING_STAGES = (Stage.AT_WINDOW, Stage.CHECKING, Stage.CONTACT, Stage.DEPOSIT)

# The first that holds for a leg is what the page says first: nobody may pay twice.
_OF_LEGS = (
    (LegState.CHECKING, Stage.CHECKING),
    (LegState.CONTACT, Stage.CONTACT),
    (LegState.AT_WINDOW, Stage.AT_WINDOW),
    (LegState.FAILED, Stage.FAILED),
    (LegState.UNPAID, Stage.FAILED),
    (LegState.AWAITING_DEPOSIT, Stage.DEPOSIT),
)
URL_LENGTH_MAX = 2000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def stage_of(status: str, *, is_over: bool, legs: Sequence[LegState]) -> Stage:
    """`is_over` by the clock. What is under way at a gateway outlives the link."""
    is_over = is_over or status in (CheckoutStatus.EXPIRED, CheckoutStatus.CANCELLED)
    if not legs:
        return Stage.OVER if is_over else Stage.CHOOSE
    said = next((stage for state, stage in _OF_LEGS if state in legs), _of_settled(legs))
    if said is Stage.FAILED and is_over:
        return _of_settled([leg for leg in legs if leg in SETTLED] + [LegState.RELEASED])
    return said


def check_return_url(url: str, *, origins: Collection[str], allows_loopback: bool) -> str:
    """Where a shopper is led back to: a page of the shop and of nobody else. Raises Invalid.

    `origins` are those of the installation ("https://shop.example"); a loopback address will do
    where no real money moves.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Invalid(field="return_url", reason="is not a plain address.") from None
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    is_loopback = allows_loopback and parts.hostname in _LOOPBACK and parts.scheme == "http"
    if not is_plain or len(url) > URL_LENGTH_MAX or parts.username or parts.password:
        raise Invalid(field="return_url", reason="is not a plain address.")
    if f"{parts.scheme}://{parts.netloc}" in origins and parts.scheme == "https":
        return url
    if not is_loopback:
        raise Invalid(field="return_url", reason="is no page of the shop: see OPSAPP_SHOP_ORIGINS.")
    return url


def is_page_of_shop(url: str, *, origins: Collection[str], allows_loopback: bool) -> bool:
    try:
        check_return_url(url, origins=origins, allows_loopback=allows_loopback)
    except Invalid:
        return False
    return True


def _of_settled(legs: Sequence[LegState]) -> Stage:
    standing = [leg for leg in legs if leg is not LegState.RELEASED]
    if not standing:
        return Stage.OVER
    with_money = [leg for leg in standing if leg is not LegState.FREE]
    if with_money and all(leg is LegState.REFUNDED for leg in with_money):
        return Stage.REFUNDED
    return Stage.PAID if len(standing) == len(legs) else Stage.PARTLY
