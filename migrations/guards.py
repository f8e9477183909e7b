"""What the database itself refuses, and the two functions the tables rely on."""

from alembic import op

ROLE = "opsapp_app"  # the application's role: owns nothing, sees no other database


def create_functions() -> None:
    """ops_now(): business time. refuse_change(): the trigger behind append-only tables."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(
        "CREATE FUNCTION ops_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS "
        "$$BEGIN RETURN clock_timestamp() "
        "+ coalesce((SELECT shift FROM test_clock), interval '0'); END$$"
    )
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END$$"
    )


def create_role() -> None:
    """Needs CREATEROLE once per cluster; a role that exists already is taken as it is."""
    op.execute(
        f"DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN "
        f"CREATE ROLE {ROLE} NOLOGIN; END IF; "
        # Two databases of one cluster may be migrated at the same moment.
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END$$"
    )
    op.execute(f"GRANT {ROLE} TO CURRENT_USER")
    op.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
    op.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {ROLE}"
    )
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {ROLE}")
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {ROLE}")


def append_only(table: str) -> None:
    """Refuse UPDATE, DELETE and TRUNCATE: by trigger to everybody, by right to the application."""
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {ROLE}")


def drop_functions() -> None:
    op.execute("DROP FUNCTION ops_now()")
    op.execute("DROP FUNCTION refuse_change()")
