"""Who may do what, and which passwords are taken. The table is the whole of it."""

from enum import StrEnum

from opsapp.kernel.errors import Invalid

PASSWORD_LENGTH_MIN = 12  # PCI DSS 8.3.6
PASSWORD_LENGTH_MAX = 128  # ASVS 6.2.9 asks for at least 64; an end keeps hashing affordable

NAME_LENGTH_TELLING = 5


class Role(StrEnum):
    CS = "cs"
    FINANCE = "finance"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Permission(StrEnum):
    VIEW = "view"
    REVEAL = "reveal"
    EXPORT = "export"
    SHARE_VIEWS = "share_views"
    REFUND = "refund"
    APPROVE_REFUNDS = "approve_refunds"
    BYPASS_APPROVALS = "bypass_approvals"
    EDIT_MONEY_POLICY = "edit_money_policy"
    DECIDE_UNCERTAIN = "decide_uncertain"
    MANAGE_SUBSCRIPTIONS = "manage_subscriptions"
    WORK_TICKETS = "work_tickets"
    LEAD_TICKETS = "lead_tickets"
    READ_LOG = "read_log"
    MANAGE_STAFF = "manage_staff"
    MANAGE_GATEWAYS = "manage_gateways"
    MANAGE_METHODS = "manage_methods"
    MANAGE_ORDERS = "manage_orders"
    MANAGE_RECEIPTS = "manage_receipts"
    EDIT_FAILURE_CODES = "edit_failure_codes"
    EDIT_RECOVERY = "edit_recovery"
    SEND_NOTICES = "send_notices"
    EDIT_NOTICES = "edit_notices"
    EDIT_TERMS = "edit_terms"
    EDIT_PLANS = "edit_plans"
    EDIT_SELLERS = "edit_sellers"
    EXPORT_CONSENTS = "export_consents"
    RUN_BILLING = "run_billing"
    ADJUST_POINTS = "adjust_points"
    APPROVE_POINTS = "approve_points"
    MANAGE_API_KEYS = "manage_api_keys"
    MANAGE_WEBHOOKS = "manage_webhooks"


P = Permission

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.CS: frozenset(
        {
            P.VIEW,
            P.REVEAL,
            P.EXPORT,
            P.SHARE_VIEWS,
            P.REFUND,
            P.MANAGE_SUBSCRIPTIONS,
            P.MANAGE_METHODS,
            P.MANAGE_ORDERS,
            P.MANAGE_RECEIPTS,
            P.WORK_TICKETS,
            P.SEND_NOTICES,
            P.EXPORT_CONSENTS,
        }
    ),
    Role.FINANCE: frozenset(
        {
            P.VIEW,
            P.EXPORT,
            P.SHARE_VIEWS,
            P.REFUND,
            P.APPROVE_REFUNDS,
            P.DECIDE_UNCERTAIN,
            P.MANAGE_RECEIPTS,
            P.RUN_BILLING,
            P.ADJUST_POINTS,
            P.APPROVE_POINTS,
        }
    ),
    Role.ADMIN: frozenset(Permission),
    Role.AUDITOR: frozenset({P.VIEW, P.EXPORT, P.READ_LOG}),
}


def allows(role: str, permission: Permission) -> bool:
    return permission in PERMISSIONS[Role(role)]


def check_password(password: str, *, email: str) -> None:
    """Raises Invalid. Length is what counts; composition rules make people worse at it."""
    if len(password) < PASSWORD_LENGTH_MIN:
        raise Invalid(field="password", reason=f"needs at least {PASSWORD_LENGTH_MIN} characters.")
    if len(password) > PASSWORD_LENGTH_MAX:
        raise Invalid(field="password", reason=f"has more than {PASSWORD_LENGTH_MAX} characters.")
    if len(set(password)) < 5:
        raise Invalid(field="password", reason="repeats the same few characters.")
    name = email.partition("@")[0].lower()
    # "cs" would forbid one random password in forty.
    if len(name) >= NAME_LENGTH_TELLING and name in password.lower():
        raise Invalid(field="password", reason="must not hold the name of the account.")
