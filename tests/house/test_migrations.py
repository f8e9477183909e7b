import secrets
from urllib.parse import urlsplit, urlunsplit

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from opsapp.kernel import schema
from opsapp.kernel.db import Base
from opsapp.reactions import TABLES

FIRST_SCHEMA = """
INSERT INTO customers (customer_ref, name, email, phone, locale, customer_key_sealed)
VALUES ('c1', '김래원', 'c1@example.com', '010-0000-1234', 'ko', 'x');
INSERT INTO payment_methods (ref, customer_id, gateway_name, kind, status, is_default,
  idempotency_key, label)
VALUES ('m1', 1, 'toss', 'virtual_account', 'active', true, 'k1', '');
INSERT INTO payments (ref, subject_type, subject_id, leg, period_index, customer_id, title,
  amount_minor, currency, captured_minor, refunded_minor, status, gateway_name, method_kind,
  paid_at)
VALUES ('p1', 'order', 1, 'main', 0, 1, '햇사과', 9900, 'KRW', 9900, 900, 'partly_refunded',
  'toss', 'virtual_account', ops_now());
INSERT INTO attempts (payment_id, number, payment_method_id, gateway_order_id, idempotency_key,
  request_sealed, status, requested_by, gateway_key)
VALUES (1, 1, 1, 'o1', 'k1', 'x', 'succeeded', 'cli:test', 'g1');
INSERT INTO refunds (ref, payment_id, request_id, idempotency_key, amount_minor, currency,
  refundable_before_minor, reason, status, requested_by)
VALUES ('r1', 1, 'q1', 'k1', 900, 'KRW', 9900, 'x', 'succeeded', 'cli:test');
INSERT INTO gateway_events (gateway_name, delivery_id, event_type, body_sealed, attempt_id)
VALUES ('toss', 'd1', 'DEPOSIT_CALLBACK', 'x', 1);
"""


def test_models_and_migrations_agree(database_url):
    assert TABLES
    with create_engine(database_url, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrated_database_is_known_as_current(database_url):
    assert schema.is_current(database_url)


def test_an_installation_of_the_first_schema_keeps_what_it_knows(servers):
    """Paid by account and partly given back, before attempts knew their gateway."""
    name = f"opsapp_test_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(servers.database_url)._replace(path=f"/{name}"))
    with psycopg.connect(servers.database_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            command.upgrade(schema._config(url), "0001")
            with psycopg.connect(url) as before:
                before.execute(FIRST_SCHEMA)
            schema.migrate(url)
            with psycopg.connect(url) as after:
                attempt = "SELECT gateway_name, method_kind, flow FROM attempts"
                assert after.execute(attempt).fetchall() == [("toss", "virtual_account", "account")]
                refund = "SELECT gateway_name, attempt_id FROM refunds"
                assert after.execute(refund).fetchall() == [("toss", 1)]
                deposit = "SELECT amount_minor, attempt_id FROM deposits"
                assert after.execute(deposit).fetchall() == [(9900, 1)]
                event = "SELECT status FROM gateway_events"
                assert after.execute(event).fetchall() == [("applied",)]
                told = "SELECT to_state FROM audit_entries WHERE subject_type = 'gateway_event'"
                assert after.execute(told).fetchall() == [("applied",)]
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
