"""Orders in legs and lines; what used to be one payment becomes one leg of one line."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _orders()
    _legs()
    _lines()
    _move_in()
    op.drop_constraint(op.f("orders_payment_id_key"), "orders", type_="unique")
    op.drop_constraint(op.f("orders_payment_id_fkey"), "orders", type_="foreignkey")
    op.drop_column("orders", "payment_id")
    _checkouts()


def downgrade() -> None:
    op.add_column("checkouts", sa.Column("payment_id", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE checkouts SET payment_id = leg.payment_id FROM order_legs leg "
        "WHERE leg.order_id = checkouts.order_id AND leg.number = 1"
    )
    op.create_foreign_key(
        op.f("checkouts_payment_id_fkey"), "checkouts", "payments", ["payment_id"], ["id"]
    )
    op.create_unique_constraint(op.f("checkouts_payment_id_key"), "checkouts", ["payment_id"])
    for name in ("points_allowed", "return_url", "on_failure", "cart"):
        op.drop_column("checkouts", name)
    op.drop_constraint(op.f("checkouts_amount_not_negative"), "checkouts", type_="check")
    op.create_check_constraint(op.f("checkouts_amount_positive"), "checkouts", "amount_minor > 0")
    op.add_column("orders", sa.Column("payment_id", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE orders SET payment_id = leg.payment_id FROM order_legs leg "
        "WHERE leg.order_id = orders.id AND leg.number = 1"
    )
    op.alter_column("orders", "payment_id", nullable=False)
    op.create_foreign_key(
        op.f("orders_payment_id_fkey"), "orders", "payments", ["payment_id"], ["id"]
    )
    op.create_unique_constraint(op.f("orders_payment_id_key"), "orders", ["payment_id"])
    op.drop_table("order_lines")
    op.drop_table("order_legs")
    op.drop_index("orders_listed", table_name="orders")
    for name in ("amount_not_negative", "points_within_amount", "on_failure_known"):
        op.drop_constraint(op.f(f"orders_{name}"), "orders", type_="check")
    op.create_check_constraint(op.f("orders_amount_positive"), "orders", "amount_minor > 0")
    for name in ("hold_until", "on_failure", "points"):
        op.drop_column("orders", name)


def _orders() -> None:
    op.add_column(
        "orders", sa.Column("points", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "orders", sa.Column("on_failure", sa.Text(), server_default="hold", nullable=False)
    )
    op.add_column("orders", sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("orders_amount_positive"), "orders", type_="check")
    op.create_check_constraint(op.f("orders_amount_not_negative"), "orders", "amount_minor >= 0")
    op.create_check_constraint(
        op.f("orders_points_within_amount"), "orders", "points BETWEEN 0 AND amount_minor"
    )
    op.create_check_constraint(
        op.f("orders_on_failure_known"), "orders", "on_failure IN ('hold', 'retry', 'release')"
    )
    op.create_index("orders_listed", "orders", ["placed_at", "id"], unique=False)


def _legs() -> None:
    op.create_table(
        "order_legs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("reservation_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('open', 'paid', 'released')", name=op.f("order_legs_status_known")
        ),
        sa.CheckConstraint(
            "kind IN ('one_off', 'subscription')", name=op.f("order_legs_kind_known")
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("order_legs_amount_not_negative")),
        sa.CheckConstraint(
            "points BETWEEN 0 AND amount_minor", name=op.f("order_legs_points_within_amount")
        ),
        sa.CheckConstraint(
            "points = 0 OR kind = 'one_off'", name=op.f("order_legs_points_for_one_off")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("order_legs_order_id_fkey")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("order_legs_payment_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["point_reservations.id"],
            name=op.f("order_legs_reservation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("order_legs_pkey")),
        sa.UniqueConstraint("order_id", "number", name=op.f("order_legs_order_id_number_key")),
        sa.UniqueConstraint("payment_id", name=op.f("order_legs_payment_id_key")),
        sa.UniqueConstraint("subscription_id", name=op.f("order_legs_subscription_id_key")),
    )
    op.create_index(
        "order_legs_open",
        "order_legs",
        ["order_id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )


def _lines() -> None:
    op.create_table(
        "order_lines",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("leg_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.BigInteger(), nullable=True),
        sa.Column("plan_id", sa.BigInteger(), nullable=True),
        sa.Column("product_ref", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("shipping_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tax_free_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("returned_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "kind IN ('one_off', 'subscription')", name=op.f("order_lines_kind_known")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("order_lines_quantity_positive")),
        sa.CheckConstraint(
            "unit_price_minor >= 0 AND shipping_minor >= 0",
            name=op.f("order_lines_prices_not_negative"),
        ),
        sa.CheckConstraint(
            "tax_free_minor BETWEEN 0 AND amount_minor",
            name=op.f("order_lines_tax_free_within_amount"),
        ),
        sa.CheckConstraint(
            "returned_minor BETWEEN 0 AND amount_minor",
            name=op.f("order_lines_returned_within_amount"),
        ),
        sa.CheckConstraint(
            "(kind = 'subscription') = (plan_id IS NOT NULL)",
            name=op.f("order_lines_plan_if_recurs"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("order_lines_order_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["leg_id"], ["order_legs.id"], name=op.f("order_lines_leg_id_fkey")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("order_lines_plan_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("order_lines_pkey")),
        sa.UniqueConstraint("order_id", "number", name=op.f("order_lines_order_id_number_key")),
    )
    op.create_index("order_lines_leg", "order_lines", ["leg_id"], unique=False)


def _move_in() -> None:
    op.execute(
        """
        INSERT INTO order_legs
          (order_id, number, kind, amount_minor, currency, payment_id, status, settled_at)
        SELECT o.id, 1, 'one_off', o.amount_minor, o.currency, o.payment_id,
          CASE WHEN p.status IN ('paid', 'partly_refunded', 'refunded') THEN 'paid'
               WHEN p.status = 'cancelled' THEN 'released' ELSE 'open' END,
          p.paid_at
        FROM orders o JOIN payments p ON p.id = o.payment_id
        """
    )
    op.execute(
        """
        INSERT INTO order_lines
          (order_id, leg_id, number, kind, title, quantity, unit_price_minor, amount_minor,
           returned_minor)
        SELECT o.id, leg.id, 1, 'one_off', o.title, 1, o.amount_minor, o.amount_minor,
          p.refunded_minor
        FROM orders o JOIN order_legs leg ON leg.order_id = o.id
        JOIN payments p ON p.id = leg.payment_id
        """
    )


def _checkouts() -> None:
    op.drop_constraint(op.f("checkouts_payment_id_key"), "checkouts", type_="unique")
    op.drop_constraint(op.f("checkouts_payment_id_fkey"), "checkouts", type_="foreignkey")
    op.drop_column("checkouts", "payment_id")
    op.drop_constraint(op.f("checkouts_amount_positive"), "checkouts", type_="check")
    op.create_check_constraint(
        op.f("checkouts_amount_not_negative"), "checkouts", "amount_minor >= 0"
    )
    op.add_column("checkouts", sa.Column("cart", postgresql.JSONB(), nullable=True))
    op.add_column(
        "checkouts", sa.Column("on_failure", sa.Text(), server_default="hold", nullable=False)
    )
    op.add_column("checkouts", sa.Column("return_url", sa.Text(), nullable=True))
    op.add_column(
        "checkouts",
        sa.Column("points_allowed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    )
