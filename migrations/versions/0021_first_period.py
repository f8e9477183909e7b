"""A subscription whose first period is not paid yet stands still for a cause of its own."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_CHECK = "subscription_blocks_cause_known"


def upgrade() -> None:
    op.drop_constraint(op.f(_CHECK), "subscription_blocks", type_="check")
    op.create_check_constraint(
        op.f(_CHECK),
        "subscription_blocks",
        "cause IN ('pause', 'suspension', 'hold', 'first_period')",
    )
    op.execute(
        "UPDATE subscription_blocks SET cause = 'first_period', blocks_billing = true, "
        "keeps_retries = true WHERE cause = 'hold' AND lifted_at IS NULL "
        "AND because = 'its first period is not paid yet'"
    )
    op.execute(
        "UPDATE subscriptions SET is_billing_blocked = true WHERE EXISTS (SELECT FROM "
        "subscription_blocks b WHERE b.subscription_id = subscriptions.id "
        "AND b.cause = 'first_period' AND b.lifted_at IS NULL)"
    )


def downgrade() -> None:
    op.execute("UPDATE subscription_blocks SET cause = 'hold' WHERE cause = 'first_period'")
    op.drop_constraint(op.f(_CHECK), "subscription_blocks", type_="check")
    op.create_check_constraint(
        op.f(_CHECK), "subscription_blocks", "cause IN ('pause', 'suspension', 'hold')"
    )
