"""The failure dictionary as a versioned table."""

import sqlalchemy as sa
from alembic import op

from migrations import guards
from opsapp.gateways import failures

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SEEDED_BY = "cli:migrate"
# What a version says; `is_current` alone may change, when another version takes its place.
_SAID = (
    "source", "code", "version", "failure_class", "subclass", "retry_mode", "outcome", "hint_ko",
    "hint_en", "script_ko", "script_en", "provenance", "note", "because", "changed_by",
    "changed_at",
)  # fmt: skip


def upgrade() -> None:
    codes = op.create_table(
        "failure_codes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("failure_class", sa.Text(), nullable=False),
        sa.Column("subclass", sa.Text(), nullable=False),
        sa.Column("retry_mode", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("hint_ko", sa.Text(), nullable=False),
        sa.Column("hint_en", sa.Text(), nullable=False),
        sa.Column("script_ko", sa.Text(), nullable=False),
        sa.Column("script_en", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "failure_class IN ('authentication_failure', 'expired_or_suspended', 'gateway_error', "
            "'fraud_suspected', 'customer_cancelled', 'configuration_error', 'state_conflict')",
            name=op.f("failure_codes_class_known"),
        ),
        sa.CheckConstraint(
            "retry_mode IN ('later', 'after_fix', 'none', 'query_then_retry', 'same_request', "
            "'operator')",
            name=op.f("failure_codes_retry_mode_known"),
        ),
        sa.CheckConstraint(
            "outcome IN ('not_charged', 'unknown', 'query')",
            name=op.f("failure_codes_outcome_known"),
        ),
        sa.CheckConstraint(
            "outcome <> 'not_charged' OR retry_mode NOT IN ('query_then_retry', 'same_request')",
            name=op.f("failure_codes_definite_needs_no_inquiry"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("failure_codes_pkey")),
        sa.UniqueConstraint(
            "source", "code", "version", name=op.f("failure_codes_source_code_version_key")
        ),
    )
    op.create_index(
        "one_current_failure_code",
        "failure_codes",
        ["source", "code"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "failure_dictionary",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "revised_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("id = 1", name=op.f("failure_dictionary_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("failure_dictionary_pkey")),
    )
    op.create_table(
        "unmapped_codes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("times", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("unmapped_codes_pkey")),
        sa.UniqueConstraint("source", "code", name=op.f("unmapped_codes_source_code_key")),
    )
    op.create_index(
        "unmapped_codes_open",
        "unmapped_codes",
        ["id"],
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.bulk_insert(codes, _seed())
    op.execute("INSERT INTO failure_dictionary (id) VALUES (1)")
    _keep_versions()


def downgrade() -> None:
    op.drop_table("unmapped_codes")
    op.drop_table("failure_dictionary")
    op.drop_table("failure_codes")


def _seed() -> list[dict[str, object]]:
    """The first version of every code, with the scripts of its subclass."""
    scripts = failures.read_scripts()
    return [
        {
            "source": row["source"],
            "code": row["code"],
            "version": 1,
            "is_current": True,
            "failure_class": row["class"],
            "subclass": row["subclass"],
            "retry_mode": row["retry_mode"],
            "outcome": row["outcome"],
            "hint_ko": row["hint_ko"],
            "hint_en": row["hint_en"],
            "script_ko": scripts[row["subclass"]][0],
            "script_en": scripts[row["subclass"]][1],
            "provenance": row["provenance"],
            "note": row["note"],
            "because": "",
            "changed_by": _SEEDED_BY,
        }
        for row in failures.read_rows(failures.SEED)
    ]


def _keep_versions() -> None:
    """By trigger for everybody, by right for the application: a version is never rewritten."""
    op.execute(
        f"CREATE TRIGGER failure_codes_kept BEFORE UPDATE OF {', '.join(_SAID)} ON failure_codes "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER failure_codes_not_deleted BEFORE DELETE ON failure_codes "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER failure_codes_no_truncate BEFORE TRUNCATE ON failure_codes "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON failure_codes FROM {guards.ROLE}")
    op.execute(f"GRANT UPDATE (is_current) ON failure_codes TO {guards.ROLE}")
    op.execute(f"REVOKE INSERT, DELETE, TRUNCATE ON failure_dictionary FROM {guards.ROLE}")
