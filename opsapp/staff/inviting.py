"""Give people an account, take it away, give it back. Nobody does it to himself."""

from dataclasses import dataclass

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record
from opsapp.staff import passwords, queries, rules, sessions
from opsapp.staff.errors import EmailTaken, LastAdministrator, NotYourself
from opsapp.staff.models import StaffAccount
from opsapp.staff.rules import Role
from opsapp.staff.states import ACCOUNT, AccountStatus


@dataclass(frozen=True, slots=True)
class NewAccount:
    email: str
    name: str
    role: Role
    password: str


@within_transaction
def create_account(wish: NewAccount, *, by: Actor) -> int:
    """Raises Invalid (field email, name or password) and EmailTaken."""
    email = wish.email.strip().lower()
    if "@" not in email.strip("@") or len(email) > 200:
        raise Invalid(field="email", reason=f"{wish.email[:50]!r} is not an e-mail address.")
    if not wish.name.strip():
        raise Invalid(field="name", reason="must not be empty.")
    rules.check_password(wish.password, email=email)
    if queries.is_email_taken(email):
        raise EmailTaken(field="email")
    account = StaffAccount(
        email=email,
        name=wish.name.strip(),
        role=wish.role.value,
        password_hash=passwords.hash_of(wish.password),
    )
    db.session.add(account)
    db.session.flush()
    record(
        Entry(
            "staff_account.created",
            "staff_account",
            account.id,
            to_state=account.status,
            detail={"role": wish.role.value},
        ),
        by=by,
    )
    return account.id


@within_transaction
def disable(account_id: int, *, because: str, by: Actor) -> None:
    """End the account's sign-ins too. Raises NotYourself and LastAdministrator."""
    _refuse_oneself(account_id, by)
    if list(queries.lock_active_admins()) == [account_id]:
        raise LastAdministrator
    account = queries.lock_account(account_id)
    ACCOUNT.move(account, AccountStatus.DISABLED, because=because, by=by)
    sessions.end_all(account_id, because="the account was disabled", by=by)


@within_transaction
def enable(account_id: int, *, because: str, by: Actor) -> None:
    """Give it back, or open it after wrong tries. Raises NotYourself."""
    _refuse_oneself(account_id, by)
    account = queries.lock_account(account_id)
    account.wrong_tries = 0
    account.locked_until = None
    if account.status == AccountStatus.ACTIVE:
        record(Entry("staff_account.unlocked", "staff_account", account_id, because=because), by=by)
    else:
        ACCOUNT.move(account, AccountStatus.ACTIVE, because=because, by=by)


@within_transaction
def set_password(account_id: int, password: str, *, because: str, by: Actor) -> None:
    """Sign-ins made with the old password end. Raises Invalid (field password)."""
    account = queries.lock_account(account_id)
    rules.check_password(password, email=account.email)
    account.password_hash = passwords.hash_of(password)
    account.wrong_tries = 0
    account.locked_until = None
    record(Entry("staff_account.password_set", "staff_account", account_id, because=because), by=by)
    sessions.end_all(account_id, because="the password was changed", by=by)


def _refuse_oneself(account_id: int, by: Actor) -> None:
    if by == Actor("staff", str(account_id)):
        raise NotYourself
