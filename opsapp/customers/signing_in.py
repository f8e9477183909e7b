"""Signing in: a customer asks for a link with an address on file, and the link lets them in once.

Whoever types an address is answered at once and always the same: it is written down, and a worker
finds out whose it is. Neither the words nor the time tell whether anybody has it.
"""

from collections.abc import Sequence

from sqlalchemy import delete, func

from opsapp.customers import finding_shoppers as shoppers, linking, queries, rules, sessions
from opsapp.customers.errors import TooManyAsks
from opsapp.customers.events import SignInFact, SignInsAsked
from opsapp.customers.jobs import ANSWER_SIGN_INS
from opsapp.customers.linking import Link
from opsapp.customers.models import SignInAsk
from opsapp.customers.rules import SignInAddress
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import Unreadable, blind_index, seal, unseal
from opsapp.kernel.db import bulk_insert, bulk_update, db, within_transaction
from opsapp.kernel.events import announce

PURPOSE = "my_page"
SUBJECT = "customer"
OWNERS_MAX = 5  # customers of one address: a family's telephone, not a call centre's

_BY = Actor("worker", "customers.answer_sign_ins")


@within_transaction
def ask(address: str, *, source: str) -> None:
    """Raises Invalid for what is no address, and TooManyAsks for where too many come from.

    Whose inbox was filled already this hour hears nothing more, and nobody is told.
    """
    wanted = rules.read_sign_in_address(address)
    index = blind_index(wanted.text)
    network = linking.source_of(source)
    of_address, of_source = shoppers.count_asks(index, network, within=rules.ASKS_WITHIN)
    if of_source >= rules.ASKS_OF_SOURCE_MAX:
        raise TooManyAsks
    is_heard = of_address < rules.ASKS_OF_ADDRESS_MAX
    row = {
        "address_index": index,
        "address_sealed": seal(wanted.text, context=_context(index)) if is_heard else None,
        "source": network,
    }
    [written] = bulk_insert(SignInAsk, [row], returning=("id",))
    ANSWER_SIGN_INS.enqueue(lane="", ask_ids=[written.id])


@within_transaction
def answer(ask_ids: Sequence[int], *, by: Actor = _BY) -> None:
    """Let everybody whom the addresses belong to be sent a link; what was typed is forgotten."""
    rows = shoppers.lock_open_asks(ask_ids)
    read = {row.id: wanted for row in rows if row.is_fresh and (wanted := _read(row))}
    owners = shoppers.list_by_address([*read.values()], most=OWNERS_MAX)
    facts = tuple(
        SignInFact(ask_id, customer_id, wanted.is_phone)
        for ask_id, wanted in read.items()
        for customer_id in owners.get(wanted, [])
    )
    bulk_update(SignInAsk, [{"id": row.id, "address_sealed": None} for row in rows])
    if facts:
        announce(SignInsAsked(facts))


@within_transaction
def answer_waiting() -> None:
    """Those whose job was lost."""
    answer(shoppers.list_waiting_asks())


@within_transaction
def send_link(customer_id: int) -> None:
    """To a customer who is known already, for what wants a fresh sign-in."""
    customer = queries.get_customer(customer_id)
    index = blind_index(customer.email)
    row = {"address_index": index, "address_sealed": None, "source": SUBJECT}
    of_address, _ = shoppers.count_asks(index, SUBJECT, within=rules.ASKS_WITHIN)
    if of_address >= rules.ASKS_OF_ADDRESS_MAX:
        raise TooManyAsks
    [written] = bulk_insert(SignInAsk, [row], returning=("id",))
    announce(SignInsAsked((SignInFact(written.id, customer_id, False),)))


@within_transaction
def enter(token: str) -> tuple[Link, str]:
    """Use the link; returns it with the token of a new sign-in. Raises LinkUnknown."""
    link = linking.use_link(token, purpose=PURPOSE)
    return link, sessions.begin(link.customer_id)


@within_transaction
def close(customer_id: int, *, by: Actor) -> None:
    """Their addresses are others now: links that went to the old ones open nothing any more."""
    linking.end_links(PURPOSE, SUBJECT, customer_id)
    sessions.end_all(customer_id, by=by)


@within_transaction
def purge() -> None:
    """The brakes look back an hour."""
    old = func.clock_timestamp() - rules.ASKS_KEPT
    db.session.execute(delete(SignInAsk).where(SignInAsk.at < old))
    sessions.purge()


def _read(row: SignInAsk) -> SignInAddress | None:
    try:
        text = unseal(row.address_sealed or b"", context=_context(row.address_index))
    except (Unreadable, ValueError, IndexError):
        return None  # its key is gone: it is asked for again
    return rules.read_sign_in_address(text)


def _context(index: bytes) -> str:
    return f"sign_in_asks.address|{index.hex()}"
