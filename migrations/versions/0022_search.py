"""Search by part of a name and by its initial consonants, and by what receipts and banks say."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Bound when they are made (RETURN): an index is built under a search path that knows no function
# of ours. Hangul syllables begin at 44032, 588 to an initial consonant; these begin at 4352.
_FUNCTIONS = (
    (
        r"CREATE FUNCTION name_folded(name text) RETURNS text "
        r"LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE "
        r"RETURN lower(regexp_replace(normalize(name, NFKC), '\s', '', 'g'))"
    ),
    (
        "CREATE FUNCTION name_initials(folded text) RETURNS text "
        "LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE "
        "RETURN (SELECT coalesce(string_agg(CASE WHEN ascii(c) BETWEEN 44032 AND 55203 "
        "THEN chr(4352 + (ascii(c) - 44032) / 588) ELSE c END, '' ORDER BY n), '') "
        "FROM string_to_table(folded, NULL) WITH ORDINALITY AS letter(c, n))"
    ),
    (
        "CREATE FUNCTION name_grams(name text) RETURNS text[] "
        "LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE "
        "RETURN (SELECT coalesce(array_agg(DISTINCT substr(word, place, length)), '{}') "
        "FROM (VALUES (name_folded(name)), (name_initials(name_folded(name)))) AS spelt(word), "
        "generate_series(2, 3) AS length, "
        "generate_series(1, char_length(word) - length + 1) AS place)"
    ),
)


def upgrade() -> None:
    for function in _FUNCTIONS:
        op.execute(function)
    op.create_index(
        "customers_name_grams",
        "customers",
        [sa.text("name_grams(name)")],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index("customers_first_letter", "customers", [sa.text('"left"(name, 1)'), "id"])
    op.create_index(
        "customers_email_grams",
        "customers",
        [sa.text("split_part(lower(email), '@', 1) gin_trgm_ops")],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index(
        "orders_ref_grams",
        "orders",
        ["order_ref"],
        postgresql_using="gin",
        postgresql_ops={"order_ref": "gin_trgm_ops"},
    )
    op.create_index(
        "cash_receipts_issue_number",
        "cash_receipts",
        ["issue_number"],
        postgresql_where=sa.text("issue_number IS NOT NULL"),
    )
    op.create_index(
        "refunds_gateway_key",
        "refunds",
        ["gateway_key"],
        postgresql_where=sa.text("gateway_key IS NOT NULL"),
    )
    op.create_index("deposits_depositor", "deposits", ["depositor", "id"])
    _index_rare_rows()


def _index_rare_rows() -> None:
    for name, column, where in (
        ("payments_other_method", "method_kind", "method_kind <> 'card'"),
        ("payments_other_gateway", "gateway_name", "gateway_name <> 'toss'"),
        ("payments_failure", "failure_class", "failure_class IS NOT NULL"),
    ):
        columns = [column, "requested_at", "id"]
        op.create_index(name, "payments", columns, postgresql_where=sa.text(where))
    op.create_index("payments_amount", "payments", ["amount_minor"])
    # Most payments are of a few prices: with fewer steps the rare large ones look frequent, and
    # are then looked for through all payments, newest first.
    op.execute("ALTER TABLE payments ALTER COLUMN amount_minor SET STATISTICS 500")
    op.create_index(
        "payment_methods_other_kind",
        "payment_methods",
        ["kind", "customer_id"],
        postgresql_where=sa.text("kind <> 'card'"),
    )
    op.create_index(
        "gateway_events_unsettled",
        "gateway_events",
        ["received_at", "id"],
        postgresql_where=sa.text("status IN ('stored', 'reading', 'needs_human')"),
    )
    lost = sa.Computed("status IN ('failed', 'revoked')", persisted=True)
    op.add_column("notices", sa.Column("is_lost", sa.Boolean(), lost, nullable=False))
    listed = ["created_at", "id"]
    op.create_index("notices_lost", "notices", listed, postgresql_where=sa.text("is_lost"))
    op.create_index("notices_kind", "notices", ["kind", *listed])
    op.create_index("notices_listed", "notices", listed)
    op.create_index("audit_entries_at", "audit_entries", ["at", "id"])
    op.drop_index("refunds_ended", "refunds")
    op.create_index("refunds_ended", "refunds", ["ended_at", "id"])


def downgrade() -> None:
    op.drop_index("refunds_ended", "refunds")
    op.create_index("refunds_ended", "refunds", ["ended_at"])
    op.drop_index("audit_entries_at", "audit_entries")
    op.drop_index("notices_listed", "notices")
    op.drop_index("notices_kind", "notices")
    op.drop_index("notices_lost", "notices")
    op.drop_column("notices", "is_lost")
    op.drop_index("gateway_events_unsettled", "gateway_events")
    op.drop_index("payment_methods_other_kind", "payment_methods")
    op.execute("ALTER TABLE payments ALTER COLUMN amount_minor SET STATISTICS -1")
    for name in ("amount", "failure", "other_gateway", "other_method"):
        op.drop_index(f"payments_{name}", "payments")
    op.drop_index("deposits_depositor", "deposits")
    op.drop_index("refunds_gateway_key", "refunds")
    op.drop_index("cash_receipts_issue_number", "cash_receipts")
    op.drop_index("orders_ref_grams", "orders")
    op.drop_index("customers_email_grams", "customers")
    op.drop_index("customers_first_letter", "customers")
    op.drop_index("customers_name_grams", "customers")
    op.execute("DROP FUNCTION name_grams, name_initials, name_folded")
