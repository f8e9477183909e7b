"""One sign-in per role for demonstrations and tests, the same after every restart."""

from collections.abc import Mapping

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.settings import current
from opsapp.staff import inviting, passwords, queries
from opsapp.staff.inviting import NewAccount
from opsapp.staff.rules import Role

NAMES = {
    Role.CS: "김상담",
    Role.FINANCE: "이재무",
    Role.ADMIN: "박관리",
    Role.AUDITOR: "최감사",
}


class OnlyForDemonstration(OpsError):
    code = "only_for_demonstration"
    message = "Sign-ins with known passwords exist in demo and test mode only."
    remedy = "Use `opsapp staff add` to create a person's account."


def email_of(role: Role) -> str:
    return f"{role.value}@opsapp.test"


@within_transaction
def seed(passwords_by_role: Mapping[Role, str], *, by: Actor) -> None:
    """Create what is missing and make the given passwords valid. Raises OnlyForDemonstration."""
    if current().mode == "production":
        raise OnlyForDemonstration
    known = queries.list_by_email([email_of(role) for role in Role])
    for role, password in passwords_by_role.items():
        account = known.get(email_of(role))
        if account is None:
            inviting.create_account(NewAccount(email_of(role), NAMES[role], role, password), by=by)
        elif not passwords.matches(account.password_hash, password):
            inviting.set_password(account.id, password, because="seeded again", by=by)
