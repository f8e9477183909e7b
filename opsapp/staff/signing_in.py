"""Sign in with e-mail and password, with brakes on guessing by account and by address.

The counters are rows on the database's own clock: a restart forgets nothing, every web process
shares them, and moving the business clock does not open a locked account.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, update

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, owns_transactions, transaction
from opsapp.kernel.log import Entry, record
from opsapp.kernel.masking import mask_email
from opsapp.staff import passwords, queries, sessions
from opsapp.staff.errors import SignInRefused, TooManyTries
from opsapp.staff.models import SignInTry, StaffAccount

WRONG_TRIES_MAX = 10  # PCI DSS 8.3.4
LOCKED_FOR = timedelta(minutes=30)
ADDRESS_TRIES_MAX = 60
ADDRESS_WINDOW = timedelta(minutes=15)

_STRANGER = Actor("staff", "unknown")


@dataclass(frozen=True, slots=True)
class SignIn:
    email: str
    password: str
    address: str
    user_agent: str


@owns_transactions
def sign_in(wish: SignIn) -> str:
    """Returns the token of a new sign-in. Raises SignInRefused and TooManyTries.

    The password is compared between two transactions (it takes tens of milliseconds on purpose),
    and the lock is looked at again in the second: tries side by side gain nothing.
    """
    with transaction():
        tries = queries.count_wrong_tries(wish.address, within=ADDRESS_WINDOW)
        known = queries.find_credentials(wish.email)
    if tries >= ADDRESS_TRIES_MAX:
        with transaction():
            _note_refusal(wish, None if known is None else known.account_id, "address_braked")
        raise TooManyTries
    matches = passwords.matches(known.password_hash if known else None, wish.password)
    with transaction():
        token = None if known is None else _settle(wish, known.account_id, matches=matches)
        if known is None:
            _note_refusal(wish, None, "unknown_email")
    if token is None:
        raise SignInRefused
    return token


def _settle(wish: SignIn, account_id: int, *, matches: bool) -> str | None:
    queries.lock_account(account_id)
    if not queries.is_open(account_id):
        _note_refusal(wish, account_id, "locked_or_disabled")
        return None
    if not matches:
        _count_wrong_try(account_id)
        _note_refusal(wish, account_id, "wrong_password")
        return None
    db.session.execute(
        update(StaffAccount)
        .where(StaffAccount.id == account_id)
        .values(wrong_tries=0, locked_until=None, last_signed_in_at=func.clock_timestamp())
    )
    db.session.add(SignInTry(address=wish.address, email=mask_email(wish.email), succeeded=True))
    record(
        Entry("staff_account.signed_in", "staff_account", account_id),
        by=Actor("staff", str(account_id)),
    )
    return sessions.begin(account_id, address=wish.address, user_agent=wish.user_agent)


def _count_wrong_try(account_id: int) -> None:
    """The tenth locks; the count begins anew when the lock has run out."""
    account = queries.lock_account(account_id)
    tries = 1 if account.locked_until is not None else account.wrong_tries + 1
    lock = func.clock_timestamp() + LOCKED_FOR if tries >= WRONG_TRIES_MAX else None
    db.session.execute(
        update(StaffAccount)
        .where(StaffAccount.id == account_id)
        .values(wrong_tries=tries, locked_until=lock)
    )


def _note_refusal(wish: SignIn, account_id: int | None, because: str) -> None:
    """One row for the brake and one for the log, which never holds a whole address."""
    # Masked: people type passwords into the wrong field.
    masked = mask_email(wish.email[:200])
    db.session.add(SignInTry(address=wish.address, email=masked, succeeded=False))
    record(
        Entry(
            "staff_account.sign_in_failed",
            "staff_account",
            account_id or 0,
            because=because,
            succeeded=False,
            detail={"email": masked},
        ),
        by=_STRANGER,
    )
