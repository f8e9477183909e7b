"""Sellers, what is owed to them, and what was given back of an order."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_sellers()
    _add_order_refunds()
    _add_shares()


def downgrade() -> None:
    op.drop_table("seller_shares")
    op.drop_table("order_refund_lines")
    op.drop_table("order_refunds")
    op.drop_constraint(op.f("order_lines_seller_id_fkey"), "order_lines")
    op.drop_column("plans", "seller_id")
    op.drop_table("sellers")


def _add_sellers() -> None:
    op.create_table(
        "sellers",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fee_bp", sa.BigInteger(), nullable=False),
        _moment("created_at"),
        sa.CheckConstraint("fee_bp BETWEEN 0 AND 9000", name=op.f("sellers_fee_sane")),
        sa.PrimaryKeyConstraint("id", name=op.f("sellers_pkey")),
        sa.UniqueConstraint("ref", name=op.f("sellers_ref_key")),
    )
    op.add_column("plans", sa.Column("seller_id", sa.BigInteger(), nullable=True))
    for table in ("plans", "order_lines"):
        name = op.f(f"{table}_seller_id_fkey")
        op.create_foreign_key(name, table, "sellers", ["seller_id"], ["id"])


def _add_order_refunds() -> None:
    op.create_table(
        "order_refunds",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("leg_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("money_minor", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        _moment("requested_at"),
        sa.CheckConstraint(
            "money_minor >= 0 AND points >= 0 AND amount_minor > 0 "
            "AND amount_minor = money_minor + points",
            name=op.f("order_refunds_adds_up"),
        ),
        sa.CheckConstraint(
            "(money_minor > 0) = (refund_id IS NOT NULL)",
            name=op.f("order_refunds_money_is_refunded"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("order_refunds_order_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["leg_id"], ["order_legs.id"], name=op.f("order_refunds_leg_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_lines.id"], name=op.f("order_refunds_line_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds.id"], name=op.f("order_refunds_refund_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("order_refunds_pkey")),
        sa.UniqueConstraint("ref", name=op.f("order_refunds_ref_key")),
        sa.UniqueConstraint("request_id", name=op.f("order_refunds_request_id_key")),
        sa.UniqueConstraint("refund_id", name=op.f("order_refunds_refund_id_key")),
    )
    op.create_index("order_refunds_order", "order_refunds", ["order_id", "id"])
    op.create_index("order_refunds_leg", "order_refunds", ["leg_id"])
    op.create_table(
        "order_refund_lines",
        sa.Column("order_refund_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("money_minor", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "money_minor >= 0 AND points >= 0 AND money_minor + points > 0",
            name=op.f("order_refund_lines_not_empty"),
        ),
        sa.ForeignKeyConstraint(
            ["order_refund_id"],
            ["order_refunds.id"],
            name=op.f("order_refund_lines_order_refund_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_lines.id"], name=op.f("order_refund_lines_line_id_fkey")
        ),
        sa.PrimaryKeyConstraint("order_refund_id", "line_id", name=op.f("order_refund_lines_pkey")),
    )
    _move_in()
    append_only("order_refund_lines")


def _move_in() -> None:
    """What was refunded of orders before they had lines: each has one leg of one line."""
    op.execute(
        """
        INSERT INTO order_refunds
          (ref, request_id, order_id, leg_id, amount_minor, money_minor, points, refund_id,
           reason, requested_by, requested_at)
        SELECT 'ore_' || substr(r.ref, 5), 'refund-' || r.id, leg.order_id, leg.id,
          r.amount_minor, r.amount_minor, 0, r.id, r.reason, r.requested_by, r.requested_at
        FROM refunds r JOIN order_legs leg ON leg.payment_id = r.payment_id
        WHERE r.unmatched_id IS NULL AND r.status <> 'refused'
        """
    )
    op.execute(
        """
        INSERT INTO order_refund_lines (order_refund_id, line_id, money_minor, points)
        SELECT back.id, line.id, back.money_minor, 0
        FROM order_refunds back JOIN order_lines line ON line.leg_id = back.leg_id
        """
    )
    op.execute(
        """
        UPDATE order_lines SET returned_minor = back.minor
        FROM (SELECT line_id, sum(money_minor) AS minor FROM order_refund_lines GROUP BY line_id)
          AS back
        WHERE back.line_id = order_lines.id AND order_lines.returned_minor <> back.minor
        """
    )


def _add_shares() -> None:
    op.create_table(
        "seller_shares",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("seller_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reverses_id", sa.BigInteger(), nullable=True),
        sa.Column("line_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("gross_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("share_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cause_type", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.BigInteger(), nullable=False),
        _moment("at"),
        sa.CheckConstraint("kind IN ('sale', 'reversal')", name=op.f("seller_shares_kind_known")),
        sa.CheckConstraint(
            "(kind = 'reversal') = (reverses_id IS NOT NULL)",
            name=op.f("seller_shares_reverses_a_sale"),
        ),
        sa.CheckConstraint(
            "gross_minor > 0 AND fee_minor >= 0 AND vat_minor >= 0 AND share_minor >= 0 "
            "AND gross_minor = fee_minor + vat_minor + share_minor",
            name=op.f("seller_shares_adds_up"),
        ),
        sa.CheckConstraint(
            "line_id IS NOT NULL OR payment_id IS NOT NULL", name=op.f("seller_shares_of_something")
        ),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["sellers.id"], name=op.f("seller_shares_seller_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["seller_shares.id"], name=op.f("seller_shares_reverses_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_lines.id"], name=op.f("seller_shares_line_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("seller_shares_payment_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("seller_shares_pkey")),
        sa.UniqueConstraint(
            "kind",
            "cause_type",
            "cause_id",
            "seller_id",
            "line_id",
            name=op.f("seller_shares_kind_cause_type_cause_id_seller_id_line_id_key"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("seller_shares_seller", "seller_shares", ["seller_id", "at", "id"])
    op.create_index("seller_shares_payment", "seller_shares", ["payment_id"])
    op.create_index("seller_shares_line", "seller_shares", ["line_id"])
    op.create_index("seller_shares_reverses", "seller_shares", ["reverses_id"])
    append_only("seller_shares")


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("ops_now()"), nullable=False
    )
