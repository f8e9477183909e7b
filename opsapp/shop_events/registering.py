"""Registering an address of the shop, changing it, and renewing the secret it checks us with."""

import secrets
from dataclasses import dataclass, field

from opsapp.channels.internet import URL_LENGTH_MAX
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_update, db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.shop_events import queries, rules
from opsapp.shop_events.delivering import client_of_settings, secret_context
from opsapp.shop_events.errors import TooManyEndpoints
from opsapp.shop_events.models import ShopEndpoint, ShopSecret
from opsapp.shop_events.states import ENDPOINT


@dataclass(frozen=True, slots=True)
class EndpointWish:
    """`types`: names in rules.TYPES; none means all. Raises Invalid."""

    url: str
    types: list[str] = field(default_factory=list)
    note: str = ""

    def __post_init__(self) -> None:
        rules.require_types(self.types)
        if len(self.note) > rules.NOTE_LENGTH_MAX:
            raise Invalid(field="note", reason=f"has at most {rules.NOTE_LENGTH_MAX} characters.")
        if len(self.url) > URL_LENGTH_MAX or not client_of_settings().may_call(self.url):
            raise Invalid(
                field="url",
                reason="must be https, with the name of a host of the internet and a usual port.",
            )


@within_transaction
def register(wish: EndpointWish, *, by: Actor) -> tuple[int, str]:
    """Returns the id and the secret, which is shown now and never again."""
    known = queries.list_endpoints()
    if any(each.url == wish.url for each in known):
        raise Invalid(field="url", reason="is registered already.")
    count = len(known)
    if count >= rules.ENDPOINTS_MAX:
        raise TooManyEndpoints(count=count)
    endpoint = ShopEndpoint(
        ref=new_ref("whe"),
        url=wish.url,
        note=" ".join(wish.note.split()),
        types=rules.require_types(wish.types),
        status=ENDPOINT.start.value,
        created_by=str(by),
    )
    db.session.add(endpoint)
    db.session.flush()
    secret = _add_secret(endpoint.id)
    _log("registered", endpoint, by=by)
    return endpoint.id, secret


@within_transaction
def change(endpoint_id: int, wish: EndpointWish, *, by: Actor) -> None:
    """From now on; what is on its way goes to the new address too. Raises NotFound."""
    endpoint = queries.lock_endpoint(endpoint_id)
    endpoint.url, endpoint.note = wish.url, " ".join(wish.note.split())
    endpoint.types = rules.require_types(wish.types)
    _log("changed", endpoint, by=by)


@within_transaction
def renew_secret(endpoint_id: int, *, by: Actor) -> str:
    """Another secret, shown now and never again; the one before it is signed with for a day more.

    Raises NotFound.
    """
    endpoint = queries.lock_endpoint(endpoint_id)
    now = clock.now()
    valid = queries.list_secrets([endpoint_id], now)
    # Of two at most: the older ones end now.
    ends = [now + rules.SECRETS_OVERLAP, *[now] * len(valid)]
    ending = [{"id": row.id, "until": until} for row, until in zip(valid, ends, strict=False)]
    bulk_update(ShopSecret, ending)
    secret = _add_secret(endpoint_id)
    _log("secret_renewed", endpoint, by=by)
    return secret


def _add_secret(endpoint_id: int) -> str:
    written = rules.write_secret(secrets.token_bytes(rules.SECRET_BYTES))
    sealed = seal(written, context=secret_context(endpoint_id))
    db.session.add(ShopSecret(endpoint_id=endpoint_id, secret_sealed=sealed))
    db.session.flush()
    return written


def _log(what: str, endpoint: ShopEndpoint, *, by: Actor) -> None:
    detail = {"url": endpoint.url, "types": ", ".join(endpoint.types)}
    record(Entry(f"shop_endpoint.{what}", queries.SUBJECT, endpoint.id, detail=detail), by=by)
