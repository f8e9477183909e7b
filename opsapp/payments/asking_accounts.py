"""Asking for bank accounts: a deposit goes back only to an account that its owner has named.

The account is sealed under the refund's reference; what people see of it is masked.
"""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func

from opsapp.customers import linking
from opsapp.customers.errors import LinkUnknown
from opsapp.customers.queries import get_customer
from opsapp.gateways.values import BankAccount
from opsapp.kernel import clock, log as journal
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal, unseal
from opsapp.kernel.db import db, owns_transactions, transaction, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.events import announce
from opsapp.kernel.ids import new_ref
from opsapp.kernel.masking import mask_account, mask_name
from opsapp.kernel.money import Money
from opsapp.notifications import sending
from opsapp.payments import finding_refunds, jobs, returning
from opsapp.payments.errors import AccountNotAwaited, OwnEntry
from opsapp.payments.events import RefundAccountsAsked, RefundFact
from opsapp.payments.models import Refund
from opsapp.payments.queries import lock_payment
from opsapp.payments.returning import ASKED, Settled
from opsapp.payments.states import REFUND, RefundStatus
from opsapp.tickets import resolving
from opsapp.tickets.opening import NewTicket, open_tickets

PURPOSE = "refund_account"
NOTICE = "refund_account_asked"
DIFFERS = "refund_holder_differs"

# Two digits of the Korean clearing house, of the banks that private customers have accounts at.
BANKS = frozenset({
    "02", "03", "04", "07", "11", "20", "23", "27", "31", "32", "34", "35", "37", "39", "45",
    "48", "64", "71", "81", "88", "89", "90", "92",
})  # fmt: skip
NUMBER_LENGTH_MAX = 20
HOLDER_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class AccountQuestion:
    """What the page behind a link shows: nothing that a finder of the link could use."""

    refund_id: int
    amount: Money
    title: str
    customer: str  # masked
    until: datetime
    was_refused: bool  # an account was named before, and the gateway did not take it
    locale: str  # the customer's


def read_account(*, bank: str, number: str, holder: str) -> BankAccount:
    """As people type it: hyphens and spaces are dropped from the number. Raises Invalid."""
    digits = number.replace("-", "").replace(" ", "")
    name = " ".join(unicodedata.normalize("NFKC", holder).split())
    if bank not in BANKS:
        raise Invalid(field="bank", reason="Choose a bank.")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > NUMBER_LENGTH_MAX:
        raise Invalid(field="number", reason="Enter the account number, 1 to 20 digits.")
    if not name or len(name) > HOLDER_LENGTH_MAX or not name.isprintable():
        raise Invalid(field="holder", reason="Enter the account holder, at most 60 characters.")
    return BankAccount(bank, digits, name)


@owns_transactions
def open_question(token: str, *, address: str) -> AccountQuestion:
    """Raises LinkUnknown, the same whatever is wrong with it, and TooManyLinks."""
    link = linking.open_link(token, purpose=PURPOSE, address=address)
    with transaction():
        question = _find_question(link)
    if question is None:
        raise LinkUnknown
    return question


@within_transaction
def give_account(token: str, account: BankAccount) -> None:
    """The customer names the account, once. Raises LinkUnknown and AccountNotAwaited."""
    link = linking.find_link(token, purpose=PURPOSE)
    refund = finding_refunds.lock_refund(link.subject_id) if link is not None else None
    used = linking.use_link(token, purpose=PURPOSE)
    if refund is None or not _is_asked(refund):
        raise AccountNotAwaited(status=refund.status if refund else "")
    _take(refund, account, by=Actor("customer", str(used.customer_id)))


@within_transaction
def type_account(refund_id: int, account: BankAccount, *, by: Actor) -> None:
    """Staff have been told it on the telephone. Raises NotFound and AccountNotAwaited."""
    refund = _lock_awaiting(refund_id)
    _take(refund, account, by=by)


@within_transaction
def confirm_holder(refund_id: int, *, reason: str, by: Actor) -> None:
    """A person who has not typed the account in has made sure that the other name is right.

    Raises NotFound, AccountNotAwaited, OwnEntry.
    """
    refund = _lock_awaiting(refund_id)
    if refund.account_sealed is None or refund.account is None:
        raise AccountNotAwaited(status=refund.status)
    if refund.account.get("named_by") == str(by):
        raise OwnEntry
    if not reason.strip():
        raise Invalid(field="reason", reason="Say how the holder was confirmed.")
    because = f"the holder was confirmed: {reason.strip()}"
    refund.account = _shown(read_sealed(refund), differs=False)
    _send(refund, because=because, by=by)


@within_transaction
def ask_again(refund_id: int, *, by: Actor) -> None:
    """Another message with a fresh link; an account that waited for confirmation is forgotten."""
    refund = _lock_awaiting(refund_id)
    refund.account = refund.account_sealed = None
    journal.record(_entry("refund.account_asked", refund, "asked again"), by=by)
    _resolve(refund, DIFFERS, because="the customer is asked again", by=by)
    ask_customers([refund], by=by)


@within_transaction
def withdraw(refund_id: int, *, reason: str, by: Actor) -> None:
    """Nothing was sent: the reservation ends. Raises NotFound and AccountNotAwaited."""
    refund = _lock_awaiting(refund_id)
    if not reason.strip():
        raise Invalid(field="reason", reason="Say why.")
    because = f"withdrawn: {reason.strip()}"
    refund.account_sealed = None
    refund.ended_at = clock.now()
    REFUND.move(refund, RefundStatus.WITHDRAWN, because=because, by=by)
    payment = lock_payment(refund.payment_id)
    settled = Settled.of(refund, customer_id=payment.customer_id, because=because)
    returning.release([settled], by=by)
    _close_question(refund, because=because, by=by)


@within_transaction
def ask_customers(refunds: Sequence[Refund], *, by: Actor) -> None:
    """A message with a link each; a ticket falls due when the link has run out unused."""
    owners = returning.list_owners([refund.payment_id for refund in refunds])
    open_tickets(
        [
            NewTicket(
                "payment",
                refund.payment_id,
                owners[refund.payment_id],
                ASKED,
                f"refund {refund.ref} waits for the customer's bank account",
            )
            for refund in refunds
        ],
        by=by,
    )
    announce(
        RefundAccountsAsked(tuple(_fact(refund, owners[refund.payment_id]) for refund in refunds))
    )


def account_columns(ref: str, account: BankAccount, *, differs: bool) -> dict[str, Any]:
    """The columns of a refund that hold an account."""
    return {"account": _shown(account, differs=differs), "account_sealed": _sealed(ref, account)}


def holder_differs(account: BankAccount, *, customer_id: int) -> bool:
    """Depositors' names are kept masked only: another name than the customer's is for a person."""
    return _plain(account.holder) != _plain(get_customer(customer_id).name)


def read_sealed(row: Any) -> BankAccount:
    """`row` has the ref and account_sealed of a refund: for the moment of its call only."""
    fields = json.loads(unseal(row.account_sealed, context=_context(row.ref)))
    return BankAccount(**fields)


@within_transaction
def note_differing_holder(refund: Refund, customer_id: int, *, by: Actor) -> None:
    """A person compares the names and confirms, or asks again."""
    summary = f"refund {refund.ref}: the account is in another name than the customer's"
    open_tickets([NewTicket("payment", refund.payment_id, customer_id, DIFFERS, summary)], by=by)


def _find_question(link: linking.Link) -> AccountQuestion | None:
    refund = finding_refunds.get_refund(link.subject_id)
    if not _is_asked(refund):
        return None
    customer = get_customer(link.customer_id)
    return AccountQuestion(
        refund_id=refund.id,
        amount=refund.amount,
        title=returning.get_title(refund.payment_id),
        customer=mask_name(customer.name),
        until=link.expires_at,
        was_refused=refund.failure_code is not None,
        locale=customer.locale,
    )


def _take(refund: Refund, account: BankAccount, *, by: Actor) -> None:
    payment = lock_payment(refund.payment_id)
    differs = holder_differs(account, customer_id=payment.customer_id)
    refund.account = _shown(account, differs=differs) | {"named_by": str(by)}
    refund.account_sealed = _sealed(refund.ref, account)
    journal.record(_entry("refund.account_named", refund, "a bank account was named"), by=by)
    if differs:
        note_differing_holder(refund, payment.customer_id, by=by)
    else:
        _send(refund, because="a bank account was named", by=by)


def _send(refund: Refund, *, because: str, by: Actor) -> None:
    """A new key: the gateway may repeat its refusal of the earlier account under the old one.

    The inquiry after that refusal has shown that nothing was given back.
    """
    refund.idempotency_key = new_ref("refund")
    refund.failure_code = refund.first_sent_at = None
    refund.turns = refund.misses = 0
    refund.due_at = clock.now()
    refund.hinted_at = db.session.scalars(func.clock_timestamp()).one()
    REFUND.move(refund, RefundStatus.REQUESTED, because=because, by=by)
    _close_question(refund, because=because, by=by)
    jobs.EXECUTE_REFUNDS.enqueue(refund_ids=[refund.id], lane=refund.gateway_name)


def _close_question(refund: Refund, *, because: str, by: Actor) -> None:
    linking.end_links(PURPOSE, "refund", refund.id)
    sending.revoke([NOTICE], "refund", [refund.id], because="the account is known", by=by)
    for reason in (ASKED, DIFFERS):
        _resolve(refund, reason, because=because, by=by)


def _resolve(refund: Refund, reason: str, *, because: str, by: Actor) -> None:
    resolving.resolve_for("payment", [refund.payment_id], reason, because=because, by=by)


def _lock_awaiting(refund_id: int) -> Refund:
    refund = finding_refunds.lock_refund(refund_id)
    if refund.status != RefundStatus.AWAITING_ACCOUNT:
        raise AccountNotAwaited(status=refund.status)
    return refund


def _is_asked(refund: Refund) -> bool:
    """An account that a person still has to confirm is not to be replaced by a link's holder."""
    return refund.status == RefundStatus.AWAITING_ACCOUNT and refund.account_sealed is None


def _shown(account: BankAccount, *, differs: bool) -> dict[str, Any]:
    return {
        "bank": account.bank,
        "number": mask_account(account.number),
        "holder": mask_name(account.holder),
        "holder_differs": differs,
    }


def _sealed(ref: str, account: BankAccount) -> bytes:
    fields = {"bank": account.bank, "number": account.number, "holder": account.holder}
    return seal(json.dumps(fields), context=_context(ref))


def _context(ref: str) -> str:
    return f"refunds.account|{ref}"


def _plain(name: str) -> str:
    """Spaces, case, width and punctuation are written differently by every bank."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if character.isalnum())


def _entry(action: str, refund: Refund, because: str) -> journal.Entry:
    shown = {name: refund.account[name] for name in ("bank", "number")} if refund.account else {}
    return journal.Entry(action, "refund", refund.id, because=because, detail=shown)


def _fact(refund: Refund, customer_id: int) -> RefundFact:
    return RefundFact(
        refund_id=refund.id,
        payment_id=refund.payment_id,
        customer_id=customer_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        unmatched_id=refund.unmatched_id,
    )
