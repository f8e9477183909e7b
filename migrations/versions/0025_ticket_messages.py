"""Tickets: waiting for the customer, priority, merging, messages and the texts they begin with."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

HIGH = (
    "uncertain_attempt", "webhook_disabled", "refund_stuck", "gateway_disagrees", "unmapped_code",
    "unmatched_money",
)  # fmt: skip

MACROS = {
    "결제 실패 안내": (
        (
            "{title} 결제 {amount}이 승인되지 않았습니다.\n"
            "카드 한도와 잔액을 확인하시거나 다른 결제수단으로 변경해 주시면 바로 다시 결제해 "
            "드리겠습니다."
        ),
        (
            "Your payment of {amount} for {title} was not approved.\n"
            "Please check the limit and balance of your card, or give us another payment method; "
            "we will charge it again at once."
        ),
    ),
    "결제수단 변경 요청": (
        (
            "등록하신 결제수단으로는 더 이상 결제할 수 없습니다.\n"
            "마이페이지에서 새 결제수단을 등록해 주세요. 등록하시면 {amount}이 다시 결제됩니다."
        ),
        (
            "Your payment method can no longer be charged.\n"
            "Please register another one on your page. {amount} is then charged again."
        ),
    ),
    "결제 확인 중": (
        (
            "{title} 결제 결과를 결제사에 확인하고 있습니다.\n"
            "확인되는 대로 다시 알려드리겠습니다. 그동안 다시 결제하지 말아 주세요."
        ),
        (
            "We are asking the payment company about the result of your payment for {title}.\n"
            "We will write again as soon as we know. Please do not pay again until then."
        ),
    ),
    "환불 처리 안내": (
        ("{amount} 환불이 진행되고 있습니다.\n카드사에 따라 영업일 기준 3~7일이 걸릴 수 있습니다."),
        (
            "Your refund of {amount} is on its way.\n"
            "Depending on your card company it takes 3 to 7 business days."
        ),
    ),
    "입금 금액 확인": (
        (
            "가상계좌에 입금하신 금액이 주문 금액 {amount}과 다릅니다.\n"
            "입금을 인정해 드릴지, 돌려드릴지 확인하고자 하니 연락 부탁드립니다."
        ),
        (
            "What was paid into the virtual account differs from the amount of the order, "
            "{amount}.\n"
            "Please tell us whether it shall count, or go back to you."
        ),
    ),
}


def upgrade() -> None:
    op.add_column(
        "tickets", sa.Column("priority", sa.Text(), server_default="normal", nullable=False)
    )
    op.add_column("tickets", sa.Column("waiting_since", sa.DateTime(timezone=True)))
    op.add_column("tickets", sa.Column("snoozed_until", sa.DateTime(timezone=True)))
    op.add_column("tickets", sa.Column("resolution", sa.Text()))
    op.add_column("tickets", sa.Column("merged_into_id", sa.BigInteger()))
    op.create_foreign_key(
        op.f("tickets_merged_into_id_fkey"), "tickets", "tickets", ["merged_into_id"], ["id"]
    )
    op.drop_constraint(op.f("tickets_status_known"), "tickets", type_="check")
    op.create_check_constraint(
        op.f("tickets_status_known"),
        "tickets",
        "status IN ('open', 'in_progress', 'waiting_customer', 'resolved')",
    )
    op.create_check_constraint(
        op.f("tickets_priority_known"), "tickets", "priority IN ('urgent', 'high', 'normal', 'low')"
    )
    op.create_check_constraint(op.f("tickets_merged_elsewhere"), "tickets", "merged_into_id <> id")
    op.create_index("tickets_newest", "tickets", ["opened_at", "id"])
    op.create_index(
        "tickets_of_assignee",
        "tickets",
        ["assignee_id", "answer_due_at", "id"],
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_index(
        "tickets_merged_into",
        "tickets",
        ["merged_into_id"],
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )
    tickets = sa.table("tickets", sa.column("priority"), sa.column("reason"))
    for priority, reasons in (
        ("urgent", ("gateway_paused",)),
        ("high", HIGH),
        ("low", ("refund_account_asked",)),
    ):
        op.execute(tickets.update().where(tickets.c.reason.in_(reasons)).values(priority=priority))
    _create_messages()
    _create_macros()


def _create_messages() -> None:
    op.create_table(
        "ticket_messages",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("from_ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('note', 'customer')", name=op.f("ticket_messages_kind_known")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("ticket_messages_ticket_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["from_ticket_id"], ["tickets.id"], name=op.f("ticket_messages_from_ticket_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("ticket_messages_pkey")),
        sa.UniqueConstraint("request_id", name=op.f("ticket_messages_request_id_key")),
    )
    op.create_index("ticket_messages_of", "ticket_messages", ["ticket_id", "id"])


def _create_macros() -> None:
    macros = op.create_table(
        "ticket_macros",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text_ko", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("ticket_macros_pkey")),
        sa.UniqueConstraint("name", name=op.f("ticket_macros_name_key")),
    )
    op.bulk_insert(
        macros,
        [
            {"name": name, "text_ko": ko, "text_en": en, "changed_by": "cli:shipped"}
            for name, (ko, en) in MACROS.items()
        ],
    )


def downgrade() -> None:
    op.drop_table("ticket_macros")
    op.drop_table("ticket_messages")
    op.drop_index("tickets_merged_into", table_name="tickets")
    op.drop_index("tickets_of_assignee", table_name="tickets")
    op.drop_index("tickets_newest", table_name="tickets")
    op.drop_constraint(op.f("tickets_merged_elsewhere"), "tickets", type_="check")
    op.drop_constraint(op.f("tickets_priority_known"), "tickets", type_="check")
    op.execute("UPDATE tickets SET status = 'in_progress' WHERE status = 'waiting_customer'")
    op.drop_constraint(op.f("tickets_status_known"), "tickets", type_="check")
    op.create_check_constraint(
        op.f("tickets_status_known"), "tickets", "status IN ('open', 'in_progress', 'resolved')"
    )
    op.drop_constraint(op.f("tickets_merged_into_id_fkey"), "tickets", type_="foreignkey")
    for name in ("merged_into_id", "resolution", "snoozed_until", "waiting_since", "priority"):
        op.drop_column("tickets", name)
