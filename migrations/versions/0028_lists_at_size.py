"""Lists stay quick however rare what they are filtered by is."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# Common values are soon found by the order of the list; so only the others are written twice.
_RARE = (
    ("gateway_events", "other_gateway", "gateway_name", "received_at", "gateway_name <> 'toss'"),
    (
        "gateway_events",
        "other_type",
        "event_type",
        "received_at",
        "event_type <> 'PAYMENT_STATUS_CHANGED'",
    ),
    ("notices", "pushed", "pushed_by", "created_at", "pushed_by IS NOT NULL"),
    ("refunds", "other_status", "status", "requested_at", "status <> 'succeeded'"),
    ("tickets", "other_priority", "priority", "opened_at", "priority <> 'normal'"),
    ("tickets", "given", "assignee_id", "opened_at", "assignee_id IS NOT NULL"),
)


def upgrade() -> None:
    # A channel is written at the claim. A column that stays NULL for most leaves that write
    # without an index to keep.
    pushed = sa.Computed(
        "CASE WHEN channel IN ('fcm', 'webpush') THEN channel END",
        persisted=True,
    )
    op.add_column("notices", sa.Column("pushed_by", sa.Text(), pushed))
    for table, name, column, moment, where in _RARE:
        op.create_index(
            f"{table}_{name}", table, [column, moment, "id"], postgresql_where=sa.text(where)
        )
    op.create_index("tickets_reason", "tickets", ["reason", "opened_at", "id"])
    op.create_index("tickets_answer", "tickets", ["answer_due_at", "id"])
    op.create_index(
        "subscriptions_next",
        "subscriptions",
        ["next_due_at"],
        postgresql_where=sa.text("status IN ('trialing', 'active', 'past_due')"),
        postgresql_include=["amount_minor", "currency"],
    )
    op.create_index(
        "audit_entries_refused",
        "audit_entries",
        ["id"],
        postgresql_where=sa.text("succeeded IS false"),
    )
    op.create_index(
        "audit_entries_action",
        "audit_entries",
        ["action"],
        postgresql_using="brin",
        postgresql_ops={"action": "text_bloom_ops"},
        postgresql_with={"pages_per_range": "32", "autosummarize": "on"},
    )


def downgrade() -> None:
    op.drop_index("audit_entries_action", "audit_entries")
    op.drop_index("audit_entries_refused", "audit_entries")
    op.drop_index("subscriptions_next", "subscriptions")
    op.drop_index("tickets_answer", "tickets")
    op.drop_index("tickets_reason", "tickets")
    for table, name, *_ in reversed(_RARE):
        op.drop_index(f"{table}_{name}", table)
    op.drop_column("notices", "pushed_by")
