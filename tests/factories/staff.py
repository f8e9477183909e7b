"""Staff accounts made through the real verb."""

from argon2 import PasswordHasher

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.staff import passwords
from opsapp.staff.inviting import NewAccount, create_account
from opsapp.staff.rules import Role

# As cheap as Argon2 gets: a hash carries its own cost, so the server verifies as cheaply.
passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

BY = Actor("cli", "test")
PASSWORD = "correct horse battery"


def make_account(role: Role = Role.CS, *, email: str = "", name: str = "김직원") -> int:
    with transaction():
        return create_account(
            NewAccount(email or f"{role.value}@example.com", name, role, PASSWORD), by=BY
        )
