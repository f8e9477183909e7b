"""A staff account is active or disabled; disabling ends its sessions."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class AccountStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


ACCOUNT = StateMachine(
    "staff_account",
    start=AccountStatus.ACTIVE,
    moves=[
        Move(AccountStatus.ACTIVE, AccountStatus.DISABLED, "disabled by an administrator"),
        Move(AccountStatus.DISABLED, AccountStatus.ACTIVE, "enabled again"),
    ],
)
