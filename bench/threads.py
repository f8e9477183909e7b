"""The baseline of a thread pool: 32 threads, `requests`, and a commit before and after each call.

What a careful shop writes without a queue: it writes the same kinds of rows as the product
(attempt, payment, subscription, books, log, receipt notice), each charge by itself, by plain
statements that psycopg prepares.
"""

import argparse
import json
import resource
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import requests

THREADS = 32
AMOUNT = 9900

_SCHEMA = """
CREATE TABLE subscriptions (id bigserial PRIMARY KEY, next_index bigint NOT NULL DEFAULT 0,
  next_due_at timestamptz NOT NULL DEFAULT now(), status text NOT NULL DEFAULT 'active');
CREATE INDEX ON subscriptions (next_due_at) WHERE status = 'active';
CREATE TABLE payments (id bigserial PRIMARY KEY, ref text NOT NULL UNIQUE,
  subscription_id bigint NOT NULL REFERENCES subscriptions, period_index bigint NOT NULL,
  amount bigint NOT NULL, status text NOT NULL, approval_number text, paid_at timestamptz,
  requested_at timestamptz NOT NULL DEFAULT now(), UNIQUE (subscription_id, period_index));
CREATE INDEX ON payments (status, requested_at, id);
CREATE TABLE attempts (id bigserial PRIMARY KEY, payment_id bigint NOT NULL REFERENCES payments,
  order_id text NOT NULL UNIQUE, idempotency_key text NOT NULL UNIQUE, status text NOT NULL,
  sent_at timestamptz, gateway_key text, receipt_url text, ended_at timestamptz);
CREATE TABLE ledger (id bigserial PRIMARY KEY, kind text NOT NULL, debit text NOT NULL,
  credit text NOT NULL, amount bigint NOT NULL, attempt_id bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(), UNIQUE (kind, attempt_id));
CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL, action text NOT NULL, subject_type text NOT NULL,
  subject_id bigint NOT NULL, from_state text, to_state text, detail jsonb NOT NULL DEFAULT '{}');
CREATE INDEX ON log (subject_type, subject_id, id);
CREATE TABLE notices (id bigserial PRIMARY KEY, ref text NOT NULL UNIQUE, kind text NOT NULL,
  payment_id bigint NOT NULL, values jsonb NOT NULL, status text NOT NULL DEFAULT 'queued',
  due_at timestamptz NOT NULL DEFAULT now(), UNIQUE (kind, payment_id));
"""
_LOG = (
    "INSERT INTO log (actor, action, subject_type, subject_id, from_state, to_state, detail)"
    " VALUES ('pool', %s, %s, %s, %s, %s, %s)"
)


class Pool:
    """One connection to PostgreSQL and one to the gateway for each thread."""

    def __init__(self, database_url: str, gateway_url: str) -> None:
        self._database_url, self._gateway_url = database_url, gateway_url
        self._auth = (f"test_sk_threads_{secrets.token_hex(6)}", "")
        self._own = threading.local()
        self._customer_key = f"c-{secrets.token_hex(8)}"
        self._billing_key = self._issue()

    def prepare(self, count: int) -> list[int]:
        with psycopg.connect(self._database_url) as connection:
            connection.execute(_SCHEMA)
            made = connection.execute(
                "INSERT INTO subscriptions SELECT FROM generate_series(1, %s) RETURNING id",
                (count,),
            )
            return [row[0] for row in made.fetchall()]

    def charge(self, subscription_id: int) -> float:
        """Returns the moment at which all of it was committed."""
        database, gateway = self._tools()
        ref, key = secrets.token_hex(9), secrets.token_hex(9)
        with database.transaction():
            payment_id, attempt_id = _plan(database, subscription_id, ref, key)
        reply = gateway.post(
            f"{self._gateway_url}/v1/billing/{self._billing_key}",
            json={
                "customerKey": self._customer_key,
                "amount": AMOUNT,
                "orderId": f"order-{ref}",
                "orderName": "subscription",
            },
            headers={"Idempotency-Key": key},
            timeout=60,
        )
        reply.raise_for_status()
        with database.transaction():
            _record(database, subscription_id, payment_id, attempt_id, reply.json())
        return time.monotonic()

    def _tools(self) -> tuple[Any, requests.Session]:
        if not hasattr(self._own, "tools"):
            session = requests.Session()
            session.auth = self._auth
            database = psycopg.connect(self._database_url, autocommit=True)
            self._own.tools = (database, session)
        tools: tuple[Any, requests.Session] = self._own.tools
        return tools

    def _issue(self) -> str:
        reply = requests.post(
            f"{self._gateway_url}/v1/billing/authorizations/issue",
            json={
                "authKey": f"card.{secrets.token_hex(8)}",
                "customerKey": self._customer_key,
            },
            auth=self._auth,
            timeout=60,
        )
        return str(reply.json()["billingKey"])


def _plan(database: Any, subscription_id: int, ref: str, key: str) -> tuple[int, int]:
    [(index,)] = database.execute(
        "SELECT next_index FROM subscriptions WHERE id = %s FOR UPDATE", (subscription_id,)
    ).fetchall()
    [(payment_id,)] = database.execute(
        "INSERT INTO payments (ref, subscription_id, period_index, amount, status)"
        " VALUES (%s, %s, %s, %s, 'pending') RETURNING id",
        (ref, subscription_id, index, AMOUNT),
    ).fetchall()
    [(attempt_id,)] = database.execute(
        "INSERT INTO attempts (payment_id, order_id, idempotency_key, status, sent_at)"
        " VALUES (%s, %s, %s, 'inflight', now()) RETURNING id",
        (payment_id, f"order-{ref}", key),
    ).fetchall()
    database.execute(
        "UPDATE subscriptions SET next_index = next_index + 1,"
        " next_due_at = next_due_at + interval '1 month' WHERE id = %s",
        (subscription_id,),
    )
    database.execute(_LOG, ("payment.requested", "payment", payment_id, None, "pending", "{}"))
    database.execute(_LOG, ("attempt.inflight", "attempt", attempt_id, "ready", "inflight", "{}"))
    return payment_id, attempt_id


def _record(
    database: Any, subscription_id: int, payment_id: int, attempt_id: int, answer: dict[str, Any]
) -> None:
    key, receipt = answer["paymentKey"], (answer.get("receipt") or {}).get("url")
    database.execute(
        "UPDATE attempts SET status = 'succeeded', gateway_key = %s, receipt_url = %s,"
        " ended_at = now() WHERE id = %s AND status = 'inflight'",
        (key, receipt, attempt_id),
    )
    database.execute(
        "UPDATE payments SET status = 'paid', paid_at = now(), approval_number = %s WHERE id = %s",
        ((answer.get("card") or {}).get("approveNo"), payment_id),
    )
    database.execute(
        "INSERT INTO ledger (kind, debit, credit, amount, attempt_id)"
        " VALUES ('charge', 'gateway_clearing', 'sales', %s, %s)",
        (AMOUNT, attempt_id),
    )
    detail = json.dumps({"gateway_key": key})
    database.execute(
        _LOG, ("attempt.succeeded", "attempt", attempt_id, "inflight", "succeeded", detail)
    )
    database.execute(_LOG, ("payment.paid", "payment", payment_id, "pending", "paid", "{}"))
    database.execute(
        "INSERT INTO notices (ref, kind, payment_id, values) VALUES (%s, 'receipt', %s, %s)",
        (secrets.token_hex(9), payment_id, json.dumps({"subscription_id": subscription_id})),
    )
    database.execute(_LOG, ("notice.queued", "payment", payment_id, None, "queued", "{}"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.threads", description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--gateway-url", required=True)
    wishes = parser.parse_args()
    pool = Pool(wishes.database_url, wishes.gateway_url)
    ids = pool.prepare(wishes.count)
    before = resource.getrusage(resource.RUSAGE_SELF)
    with ThreadPoolExecutor(THREADS) as threads:
        moments = sorted(threads.map(pool.charge, ids))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"moments": moments, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
