"""A database with N payments and what goes with them, written by SQL, a statement per table.

Rows refer to each other by arithmetic on their numbers, so a run can be repeated. CHECK and UNIQUE
constraints hold as ever; foreign keys hold by construction and are not asked one by one. Indexes
are dropped first and built at the end, as anybody would who loads so much at once.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import sql

NEWEST_HOURS_AGO = 1
DAYS = 365
SURNAMES = "김김김김이이이박박최정강조윤장임한오서신"
SYLLABLES = "민서지하준윤도예은시현우진수빈아연유주원재성영경동호승태가나다라마바사혜희정선미"

TABLES_AT_ONCE = 2
# Filled first, one after the other: the others are read from them.
_READ = ("customers", "payment_methods", "plans", "subscriptions", "payments", "orders")
# %(n)s: payments. Payment number p belongs to customer p * 7919 % c + 1, of c = n / 5.
_TABLES = {
    "customers": """
SELECT k AS id, 'C-' || lpad(k::text, 8, '0') AS customer_ref,
  CASE WHEN k %% 20011 = 17 THEN '김래원'
    ELSE substr(%(surnames)s, (k * 31 %% 20 + 1)::int, 1)
      || substr(%(syllables)s, (k / 20 %% 40 + 1)::int, 1)
      || substr(%(syllables)s, (k * 7919 / 97 %% 40 + 1)::int, 1) END AS name,
  'buyer' || k || '@' || (ARRAY['naver.com', 'gmail.com', 'daum.net'])[k %% 3 + 1] AS email,
  '010-' || lpad((k * 6151 %% 10000)::text, 4, '0') || '-' || lpad((k %% 10000)::text, 4, '0')
    AS phone, 'ko' AS locale, '\\x00'::bytea AS customer_key_sealed,
  now() - interval '800 days' + k * (interval '400 days' / %(c)s) AS created_at
FROM generate_series(1::bigint, %(c)s) k""",
    "payment_methods": """
SELECT k AS id, 'pm_' || k AS ref, k AS customer_id, 'toss' AS gateway_name, 'card' AS kind,
  CASE WHEN k %% 50 = 0 THEN 'expired' ELSE 'active' END AS status, true AS is_default,
  'pm-key-' || k AS idempotency_key, '\\x00'::bytea AS billing_key_sealed, '' AS label,
  (433000 + k %% 60)::text AS first6, lpad((k * 37 %% 1000)::text, 3, '0') || '*' AS last4,
  current_date + (k %% 1500)::int AS expires_on
FROM generate_series(1::bigint, %(c)s) k""",
    "plans": """
SELECT k AS id, 'bench-' || k AS code, '구독 ' || k AS name, 'month' AS interval,
  1 AS interval_count, 9900 + k AS amount_minor, 'KRW' AS currency
FROM generate_series(1::bigint, 20) k""",
    "subscriptions": """
SELECT k AS id, 'sub_' || k AS ref, k AS customer_id, k %% 20 + 1 AS plan_id,
  k AS payment_method_id,
  (ARRAY['active', 'active', 'active', 'active', 'active', 'active', 'active', 'cancelled',
    'past_due', 'paused'])[k * 7 %% 10 + 1] AS status,
  9900 + k %% 20 AS amount_minor, 'KRW' AS currency, 'month' AS interval, 1 AS interval_count,
  current_date - 300 AS anchor_on, 15 AS anchor_day, 10 AS next_period_index,
  now() + (k %% 30 + 1) * interval '1 day' AS next_due_at, true AS is_announced,
  '' AS contract, '' AS terms_version,
  now() - interval '400 days' + k * (interval '390 days' / %(s)s) AS created_at
FROM generate_series(1::bigint, %(s)s) k""",
    "payments": """
SELECT p AS id, 'pay_' || p AS ref, CASE WHEN p %% 3 = 0 THEN 'order' ELSE 'subscription' END
    AS subject_type, CASE WHEN p %% 3 = 0 THEN p ELSE p %% %(s)s + 1 END AS subject_id,
  'main' AS leg, CASE WHEN p %% 3 = 0 THEN 0 ELSE p END AS period_index,
  p * 7919 %% %(c)s + 1 AS customer_id, '구독 ' || p %% 20 AS title, a AS amount_minor,
  'KRW' AS currency,
  CASE WHEN status IN ('paid', 'partly_refunded', 'refunded') THEN a ELSE 0 END AS captured_minor,
  CASE status WHEN 'refunded' THEN a WHEN 'partly_refunded' THEN a / 3 ELSE 0 END
    AS refunded_minor, status,
  CASE WHEN p %% 1000 = 1 THEN 'stripe' WHEN p %% 10 = 1 THEN 'portone' ELSE 'toss' END
    AS gateway_name, method AS method_kind,
  CASE WHEN status = 'failed' THEN (ARRAY['authentication_failure', 'authentication_failure',
    'expired_or_suspended', 'gateway_error'])[p %% 4 + 1] END AS failure_class,
  CASE WHEN status = 'failed' THEN 'REJECT_CARD_PAYMENT' END AS failure_code,
  CASE WHEN status LIKE '%%e%%paid' OR status = 'paid' THEN lpad(p::text, 8, '0') END
    AS approval_number, at AS requested_at,
  CASE WHEN status IN ('paid', 'partly_refunded', 'refunded') THEN at + interval '3 s' END
    AS paid_at
FROM (SELECT p, 9900 + (p * 61 %% 300) * 1000 + CASE WHEN p %% 100003 = 5 THEN 9000000 ELSE 0 END
    AS a, now() - %(hours)s * interval '1 hour' - (%(n)s - p) * (%(days)s * interval '1 day'
    / %(n)s) AS at,
  (ARRAY['card', 'card', 'card', 'card', 'card', 'card', 'card', 'card', 'card', 'card', 'card',
    'card', 'card', 'card', 'card', 'easy_pay', 'easy_pay', 'transfer', 'virtual_account',
    'virtual_account'])[p * 13 %% 20 + 1] AS method,
  CASE WHEN p * 13 %% 20 >= 18 AND p %% 40 = 7 THEN 'awaiting_deposit' WHEN p * 17 %% 100 < 6
    THEN 'failed' WHEN p * 17 %% 100 = 6 THEN 'partly_refunded' WHEN p * 17 %% 100 < 9
    THEN 'refunded' WHEN p * 17 %% 200 = 9 THEN 'cancelled' WHEN p %% 5003 = 11 THEN 'pending'
    ELSE 'paid' END AS status
  FROM generate_series(1::bigint, %(n)s) p) made""",
    "attempts": """
SELECT id, id AS payment_id, 1 AS number, customer_id AS payment_method_id, gateway_name,
  method_kind, 'billing' AS flow, 'ord_' || id AS gateway_order_id, 'key_' || id
    AS idempotency_key, '\\x00'::bytea AS request_sealed,
  CASE status WHEN 'failed' THEN 'declined' WHEN 'cancelled' THEN 'withdrawn' WHEN
    'awaiting_deposit' THEN 'waiting' WHEN 'pending' THEN 'unknown' ELSE 'succeeded' END AS status,
  'worker:bench' AS requested_by, 'gw_' || id AS gateway_key, approval_number, failure_class,
  failure_code, requested_at AS created_at, CASE WHEN status NOT IN ('awaiting_deposit', 'pending')
    THEN requested_at + interval '3 s' END AS ended_at,
  CASE WHEN method_kind = 'virtual_account' THEN '{"bank": "20", "number": "*********1234"}'::jsonb
    END AS account, CASE WHEN method_kind = 'virtual_account' THEN requested_at
    + interval '7 days' END AS deposit_due_at, now() + interval '400 days' AS due_at
FROM payments""",
    "refunds": """
SELECT row_number() OVER (ORDER BY id) AS id, 'ref_' || id AS ref, id AS payment_id,
  'req_' || id AS request_id, 'rkey_' || id AS idempotency_key, refunded_minor AS amount_minor,
  'KRW' AS currency, amount_minor AS refundable_before_minor, '고객 변심' AS reason,
  'succeeded' AS status, 'staff:1' AS requested_by, id AS attempt_id, gateway_name,
  'cancel_' || id AS gateway_key, requested_at + interval '2 days' AS requested_at,
  requested_at + interval '2 days 1 minute' AS ended_at
FROM payments WHERE refunded_minor > 0""",
    "orders": """
SELECT id, 'SHOP-' || lpad(id::text, 9, '0') AS order_ref, customer_id,
  '상품 ' || id %% 97 AS title, amount_minor, 'KRW' AS currency, requested_at AS placed_at
FROM payments WHERE subject_type = 'order'""",
    "order_legs": """
SELECT id, id AS order_id, 1 AS number, 'one_off' AS kind, amount_minor, 'KRW' AS currency,
  id AS payment_id, CASE WHEN captured_minor > 0 THEN 'paid' ELSE 'open' END AS status
FROM payments WHERE subject_type = 'order'""",
    "order_lines": """
SELECT id, id AS order_id, id AS leg_id, 1 AS number, 'one_off' AS kind, '상품' AS title,
  1 AS quantity, amount_minor AS unit_price_minor, amount_minor
FROM payments WHERE subject_type = 'order'""",
    "deposits": """
SELECT row_number() OVER (ORDER BY id) AS id, gateway_name, 'dep_' || id AS deposit_key,
  id AS attempt_id, id AS payment_id, amount_minor, 'KRW' AS currency,
  substr(%(surnames)s, (id %% 20 + 1)::int, 1) || '*' || substr(%(syllables)s,
    (id %% 40 + 1)::int, 1) AS depositor, paid_at AS seen_at
FROM payments WHERE method_kind = 'virtual_account' AND captured_minor > 0""",
    "unmatched_money": """
SELECT id, 'um_' || id AS ref, id AS attempt_id, id AS payment_id, customer_id, gateway_name,
  'gw_' || id AS gateway_key, (ARRAY['short', 'over', 'late'])[id %% 3 + 1] AS reason,
  amount_minor, 'KRW' AS currency, CASE WHEN id %% 7 = 0 THEN 'open' ELSE 'accepted' END AS status,
  requested_at AS opened_at
FROM payments WHERE id %% 500 = 3""",
    "cash_receipts": """
SELECT id, 'receipt_' || id AS ref, id AS payment_id, customer_id, gateway_name,
  'income_deduction' AS kind, '010-****-1234' AS registration, amount_minor, 'KRW' AS currency,
  CASE WHEN id %% 9 = 0 THEN 'failed' ELSE 'issued' END AS status, 'rk_' || id AS idempotency_key,
  'staff:1' AS asked_by, lpad(id::text, 9, '0') AS issue_number, requested_at AS asked_at,
  now() + interval '400 days' AS due_at
FROM payments WHERE method_kind IN ('virtual_account', 'transfer') AND captured_minor > 0
  AND id %% 7 = 0""",
    "tickets": """
SELECT row_number() OVER (ORDER BY id) AS id, 'payment' AS subject_type, id AS subject_id,
  customer_id, (ARRAY['repeated_failure', 'uncertain_attempt', 'refund_stuck'])[id %% 3 + 1]
    AS reason, 'failed' AS summary, CASE WHEN p.requested_at < now() - interval '5 days'
    THEN 'resolved' WHEN id %% 2 = 0 THEN 'open' ELSE 'in_progress' END AS status,
  requested_at AS opened_at, requested_at + interval '4 hours' AS answer_due_at
FROM payments p WHERE status = 'failed' AND id %% 4 = 0""",
    "notices": """
SELECT row_number() OVER (ORDER BY id) AS id, 'note_' || id AS ref,
  CASE WHEN id %% 3 = 0 THEN 'payment_failed' ELSE 'payment_receipt' END AS kind,
  'payment' AS subject_type, id AS subject_id, customer_id,
  CASE WHEN id %% 20000 = 6 THEN 'webpush' WHEN id %% 4 = 0 THEN 'email' ELSE 'sms' END AS channel,
  '{}'::jsonb AS values,
  CASE WHEN id %% 97 = 0 THEN 'failed' ELSE 'sent' END AS status, requested_at AS created_at,
  requested_at + interval '1 minute' AS sent_at
FROM payments WHERE id %% 2 = 0""",
    "gateway_events": """
SELECT row_number() OVER (ORDER BY id) AS id, gateway_name, 'dlv_' || id AS delivery_id,
  CASE gateway_name WHEN 'toss' THEN 'PAYMENT_STATUS_CHANGED' WHEN 'portone'
    THEN 'Transaction.Paid' ELSE 'payment_intent.succeeded' END AS event_type,
  '\\x00'::bytea AS body_sealed, id AS attempt_id,
  CASE WHEN id %% 4999 = 0 THEN 'needs_human' WHEN id %% 3 = 0 THEN 'ignored' ELSE 'applied' END
    AS status, true AS is_signed, requested_at AS received_at, requested_at AS ended_at
FROM payments WHERE id %% 2 = 1""",
    "checkouts": """
SELECT row_number() OVER (ORDER BY id) AS id, 'link_' || id AS ref, customer_id, order_ref, title,
  amount_minor, 'KRW' AS currency, CASE WHEN id %% 5 = 0 THEN 'expired' ELSE 'paid' END AS status,
  'staff:1' AS opened_by, placed_at AS opened_at, placed_at + interval '3 days' AS expires_at,
  id AS order_id
FROM orders WHERE id %% 10 = 0""",
    "recoveries": """
SELECT row_number() OVER (ORDER BY id) AS id, id AS payment_id, subject_id AS subscription_id,
  customer_id, 1 AS policy_id, CASE WHEN p.requested_at < now() - interval '20 days'
    THEN 'recovered' ELSE 'scheduled' END AS status, amount_minor, 'KRW' AS currency,
  1 AS failures, 1 AS tries, 0 AS gateway_tries, 0 AS staff_tries, gateway_name, failure_class,
  failure_code, 'card_refused' AS reason, 'retry' AS next_step, now() + interval '9 days'
    AS next_at, requested_at AS opened_at, requested_at AS last_failed_at,
  CASE WHEN p.requested_at < now() - interval '20 days' THEN requested_at + interval '5 days' END
    AS closed_at
FROM payments p WHERE status = 'failed' AND subject_type = 'subscription'""",
    "point_accounts": """
SELECT k * 10 AS customer_id, 1000 AS available FROM generate_series(1::bigint, %(c)s / 10) k""",
    "audit_entries": """
SELECT now() AS recorded_at, requested_at AS at, 'worker:payments.execute_attempts' AS actor,
  'payment.' || status AS action, 'payment' AS subject_type, id AS subject_id, 'pending'
    AS from_state, status AS to_state, '' AS because, id %% 50021 <> 9 AS succeeded
FROM payments ORDER BY id""",
}


def fill(database_url: str, payments: int) -> dict[str, int]:
    """Rows by table. The database is migrated and empty."""
    customers = max(payments // 5, 100)
    values: dict[str, Any] = {
        "n": payments,
        "c": customers,
        "s": max(customers // 4, 50),
        "hours": NEWEST_HOURS_AGO,
        "days": DAYS,
        "surnames": SURNAMES,
        "syllables": SYLLABLES,
    }
    written = {table: _fill_table(database_url, table, values) for table in _READ}
    others = [table for table in _TABLES if table not in _READ]
    with ThreadPoolExecutor(TABLES_AT_ONCE) as pool:
        filling = {table: pool.submit(_fill_table, database_url, table, values) for table in others}
        written |= {table: rows.result() for table, rows in filling.items()}
    _mark_visible(database_url)
    return written


def _fill_table(database_url: str, table: str, values: Mapping[str, Any]) -> int:
    rows = _TABLES[table]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("SET work_mem = '256MB'")
        dropped = _drop_indexes(connection, table)
        columns = connection.execute(f"{rows} LIMIT 0", values).description or []
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        into = sql.SQL("INSERT INTO {} ({}) ").format(sql.Identifier(table), names)
        done = connection.execute(into + sql.SQL(rows), values)
        _set_sequence(connection, table)
        for definition in dropped:
            connection.execute(sql.SQL(definition))
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
        return done.rowcount


def _mark_visible(database_url: str) -> None:
    """As autovacuum has it in a shop that stands: what was filled beside another table's long
    statement could not be marked yet, and an index alone would not tell of it.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in _TABLES:
            connection.execute(sql.SQL("VACUUM {}").format(sql.Identifier(table)))


def _drop_indexes(connection: psycopg.Connection[Any], table: str) -> list[str]:
    """All but those of constraints; answers how they are made again."""
    found = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = %s::regclass AND NOT EXISTS "
        "(SELECT FROM pg_constraint WHERE conindid = indexrelid)",
        (table,),
    ).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return [definition for _, definition in found]


def _set_sequence(connection: psycopg.Connection[Any], table: str) -> None:
    [(sequence,)] = connection.execute(
        "SELECT (SELECT pg_get_serial_sequence(%(t)s, 'id') FROM pg_attribute"
        " WHERE attrelid = %(t)s::regclass AND attname = 'id')",
        {"t": table},
    ).fetchall()
    if sequence is not None:
        last = sql.SQL("SELECT setval(%s, (SELECT max(id) FROM {}))").format(sql.Identifier(table))
        connection.execute(last, (sequence,))
