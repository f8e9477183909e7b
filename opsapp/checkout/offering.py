"""Offering: the ways in which a shopper may pay a cart now."""

from dataclasses import dataclass
from datetime import date

from opsapp.checkout.showing import Picture
from opsapp.customers import replacing
from opsapp.customers.models import PaymentMethod
from opsapp.customers.queries import list_methods, list_registered_by
from opsapp.customers.states import MethodStatus
from opsapp.kernel.money import Money
from opsapp.routing.choosing import least_taken, list_offers
from opsapp.routing.queries import get_capabilities

_SHOWN = (MethodStatus.ACTIVE, MethodStatus.REQUESTED, MethodStatus.ISSUING)


@dataclass(frozen=True, slots=True)
class OwnMethod:
    """One that is registered, or that the gateway is being asked to register."""

    id: int
    ref: str
    kind: str
    status: str
    label: str
    expires_on: date | None
    minimum: int  # least amount in minor units

    @property
    def is_usable(self) -> bool:
        return self.status == MethodStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of a method that was given through a link."""

    ref: str
    status: str
    gateway_name: str
    refused_code: str | None

    @property
    def is_moving(self) -> bool:
        return self.status in (MethodStatus.REQUESTED, MethodStatus.ISSUING)


@dataclass(frozen=True, slots=True)
class Ways:
    """`registrable`: kinds for which another method can be registered on the way.

    `kinds` are paid once, at the gateway's page; `minimum` is theirs, in minor units.
    """

    registered: tuple[OwnMethod, ...]
    registrable: tuple[str, ...]
    kinds: tuple[str, ...]
    minimum: dict[str, int]
    needs_registered: bool

    @property
    def is_open(self) -> bool:
        return bool(self.kinds or self.registrable or self.usable)

    @property
    def usable(self) -> list[OwnMethod]:
        return [each for each in self.registered if each.is_usable]

    @property
    def values(self) -> list[str]:
        """As a form names them: references, "new-" and a kind, kinds."""
        new = [f"new-{kind}" for kind in self.registrable]
        return [*(each.ref for each in self.usable), *new, *self.kinds]


def list_ways(picture: Picture) -> Ways:
    """What recurs is charged to a registered method, and so is all that is in a cart with it.

    Only there is another one registered on the way: who buys once pays once.
    """
    needs_registered = bool(picture.quote.recurring)
    money = Money(max(picture.now.minor - picture.placed_points, 1), picture.now.currency)
    kinds = [] if needs_registered else list_offers(money)
    currency = picture.quote.currency
    own = [method for method in list_methods(picture.customer_id) if _is_shown(method, currency)]
    return Ways(
        registered=tuple(_own(method, currency) for method in own),
        registrable=tuple(replacing.list_offers("")) if needs_registered else (),
        kinds=tuple(kinds),
        minimum={kind: least_taken(kind, currency) for kind in kinds if picture.most_points},
        needs_registered=needs_registered,
    )


def find_registration(link_id: int) -> Registration | None:
    """The last one through this link."""
    given = list_registered_by(link_id)[:1]
    return next(
        (Registration(m.ref, m.status, m.gateway_name, m.refused_code) for m in given), None
    )


def _is_shown(method: PaymentMethod, currency: str) -> bool:
    return method.status in _SHOWN and currency in get_capabilities(method.gateway_name).currencies


def _own(method: PaymentMethod, currency: str) -> OwnMethod:
    return OwnMethod(
        method.id,
        method.ref,
        method.kind,
        method.status,
        " ".join(
            part for part in (method.label, f"**** {method.last4}" if method.last4 else "") if part
        ),
        method.expires_on,
        least_taken(method.kind, currency, gateway_name=method.gateway_name),
    )
