from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis

from opsapp.gateways import registry
from opsapp.insights import probing_log
from opsapp.insights.probing import run_probes
from opsapp.insights.rules import find_pans
from opsapp.kernel.jobs import RedisAway, connect
from opsapp.kernel.states import MACHINES
from opsapp.payments.errors import BooksUnread
from opsapp.settings import Settings, current, use
from tests.factories.scenes import Scene
from tests.insights.conftest import find

Spoil = Callable[..., None]

PAN = "4111111111111111"  # a test number of every gateway, with a right check digit


def test_a_healthy_shop_violates_nothing(shop: Scene, tmp_path: Path) -> None:
    rows = run_probes(logs_dir=tmp_path)
    assert [row.id for row in rows] == [f"I{n}" for n in range(1, 13)]
    assert {row.id: row.examples for row in rows if row.violations} == {}


def test_an_empty_installation_violates_nothing(app: Flask) -> None:
    assert sum(row.violations for row in run_probes()) == 0


def test_i1_a_capture_of_another_amount_is_found(shop: Scene, spoil: Spoil) -> None:
    spoil(
        "UPDATE payments SET amount_minor = 129001, captured_minor = 129001 "
        "WHERE amount_minor = 129000"
    )
    row = find("I1")
    assert row.violations == 1
    assert "129000 there, 129001 here" in row.examples[0]


def test_i2_money_known_on_one_side_only_is_found(shop: Scene, spoil: Spoil) -> None:
    spoil(
        f"UPDATE attempts SET gateway_order_id = 'op_nowhere' WHERE payment_id = {shop.paid}"  # noqa: S608
    )
    row = find("I2")
    assert row.violations == 2
    assert "129000 taken, not booked" in row.examples[0]
    assert "op_nowhere: 129000 booked, not taken" in row.examples[1]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM billing_periods", "0 periods, and the next one is 1"),
        ("UPDATE billing_periods SET payment_id = NULL", "no payment, and nobody skipped it"),
        ("UPDATE billing_periods SET period_index = 7", "no billing period of its subscription"),
        ("UPDATE subscriptions SET next_due_at = ops_now() - interval '1 h'", "due since"),
        ("UPDATE payments SET status = 'pending'", "no attempt is under way"),
        (
            (
                "UPDATE attempts SET leased_until = NULL, due_at = ops_now() - interval '1 h' "
                "WHERE status = 'unknown'"
            ),
            "(unknown): due since",
        ),
        (
            (
                "UPDATE notices SET leased_until = clock_timestamp() - interval '1 h', "
                "due_at = ops_now() - interval '1 h'"
            ),
            "(queued): due since",
        ),
    ],
)
def test_i3_what_is_due_and_not_under_way_is_found(
    shop: Scene, spoil: Spoil, damage: str, said: str
) -> None:
    spoil(damage)
    assert any(said in example for example in find("I3").examples)


def test_i3_a_period_that_was_skipped_in_the_open_is_no_violation(
    shop: Scene, spoil: Spoil
) -> None:
    spoil("UPDATE billing_periods SET payment_id = NULL")
    without_payment = "UPDATE payments SET subject_type = 'order', subject_id = id"
    entry = (
        "INSERT INTO audit_entries (actor, action, subject_type, subject_id, because, detail) "
        "SELECT 'staff:1', 'subscription.periods_skipped', 'subscription', subscription_id, '', "
        "jsonb_build_object('from_index', period_index, 'count', 1) FROM billing_periods"
    )
    spoil(without_payment, entry)
    assert find("I3").violations == 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "UPDATE payments SET refunded_minor = captured_minor + 1 WHERE status = 'paid'",
            "refunded 129001",
        ),
        (
            "UPDATE payments SET refunded_minor = 1 WHERE status = 'partly_refunded'",
            "refunded 1, pending 0; its refunds say 12000 and 0",
        ),
        ("UPDATE refunds SET status = 'unknown'", "its refunds say 0 and 12000"),
        ("UPDATE refunds SET amount_minor = 1", "12000 given back there, 1 here"),
    ],
)
def test_i4_a_refund_that_is_not_what_it_should_be_is_found(
    shop: Scene, spoil: Spoil, damage: str, said: str
) -> None:
    spoil("ALTER TABLE payments DROP CONSTRAINT payments_refunds_within_capture", damage)
    assert any(said in example for example in find("I4").examples)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM ledger_transfers WHERE kind = 'charge'", "the ledger says 0"),
        ("DELETE FROM ledger_transfers WHERE kind = 'refund'", "the ledger says 32000, 0, 12000"),
        ("UPDATE ledger_transfers SET amount_minor = 1 WHERE kind = 'charge'", "ledger says 1,"),
        ("UPDATE ledger_transfers SET currency = 'USD'", "holds 129000 USD, the payments say 0"),
        ("UPDATE ledger_transfers SET payment_id = NULL", "(charge): no payment"),
        (
            "UPDATE ledger_transfers SET debit_account = 'pocket' WHERE kind = 'charge'",
            "account pocket: holds",
        ),
        (
            "UPDATE ledger_transfers SET credit_account = 'pocket' WHERE kind = 'refund_requested'",
            "account refunds_in_transit: holds 12000 KRW, the payments say 0",
        ),
    ],
)
def test_i5_books_that_disagree_are_found(
    shop: Scene, spoil: Spoil, damage: str, said: str
) -> None:
    spoil(damage)
    row = find("I5")
    assert row.violations
    assert said in " | ".join(row.examples) or row.violations > len(row.examples)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE attempts SET status = 'declined'", "deposits of 9900, captured 0"),
        ("UPDATE deposits SET amount_minor = 9", "deposits of 9, captured 9900"),
        ("DELETE FROM deposits", "deposits of 0, captured 9900"),
        (
            "UPDATE payments SET captured_minor = 0 WHERE method_kind = 'virtual_account'",
            "deposits of 9900, captured 0",
        ),
        (
            (
                "INSERT INTO unmatched_money (ref, attempt_id, payment_id, customer_id, "
                "gateway_name, gateway_key, reason, amount_minor, currency, status) SELECT 'um', "
                "id, payment_id, 1, 'toss', 'pk', 'late_approval', 5, 'KRW', 'open' "
                "FROM attempts LIMIT 1"
            ),
            "unmatched money 1 (open): 0 open tickets",
        ),
    ],
)
def test_i7_a_deposit_that_does_not_add_up_is_found(
    shop: Scene, spoil: Spoil, damage: str, said: str
) -> None:
    spoil(damage)
    row = find("I7")
    assert row.violations == 1
    assert said in row.examples[0]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE tickets SET status = 'resolved'", "is resolved, the log says open"),
        ("DELETE FROM notices", "in the log, and the row is gone"),
        (
            "DELETE FROM audit_entries WHERE subject_type = 'attempt' AND to_state = 'inflight'",
            "goes on from inflight after",
        ),
        ("UPDATE audit_entries SET actor = 'staff:9' WHERE id = 3", "entry 3: it is not what was"),
    ],
)
def test_i8_a_state_that_the_log_does_not_know_is_found(
    shop: Scene, spoil: Spoil, damage: str, said: str
) -> None:
    spoil(damage)
    assert said in " | ".join(find("I8").examples)


def test_i8_speaks_of_every_state_machine(app: Flask) -> None:
    assert probing_log.SUBJECTS.keys() == MACHINES.keys()
    tables = {name: row.__tablename__ for name, row in probing_log.SUBJECTS.items()}
    assert all(tables[name] in (name, f"{name}s", f"{name[:-1]}ies") for name in tables)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "DELETE FROM tickets WHERE reason = 'repeated_failure' AND subject_id = 1",
            "subscription 1: 2 failures in a row",
        ),
        (
            (
                "UPDATE audit_entries SET recorded_at = recorded_at - interval '1 day' "
                "WHERE action = 'subscription.paused'; "
                "UPDATE payments SET subject_id = 3 WHERE subject_type = 'subscription'; "
                "UPDATE attempts SET requested_by = 'timetable:renew'"
            ),
            "sent while subscription 3 was paused",
        ),
        (
            "UPDATE recoveries SET status = 'recovered', recovered_minor = amount_minor",
            "recovery 1 is recovered, payment",
        ),
        (
            "UPDATE subscriptions SET status = 'cancelled' WHERE id = 1",
            "recovery 1 is scheduled, subscription 1 is cancelled",
        ),
    ],
)
def test_i10_a_series_without_a_ticket_and_a_charge_while_paused_are_found(
    shop: Scene, spoil: Spoil, damage: str, said: str
) -> None:
    spoil(
        "ALTER TABLE payments DROP CONSTRAINT payments_subject_type_subject_id_leg_period_index_key"
    )
    spoil(*damage.split("; "))
    assert said in " | ".join(find("I10").examples)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            (
                "UPDATE audit_entries SET detail = detail || '{\"fence\": 7}' "
                "WHERE action = 'attempt.succeeded'"
            ),
            "answers under fence 7, claimed was 1",
        ),
        ("UPDATE attempts SET fence = fence + 1", "fence 2, and the log knows 1"),
        (
            (
                "INSERT INTO attempts (payment_id, number, payment_method_id, gateway_name,"
                " method_kind, flow, gateway_order_id, idempotency_key, request_sealed, status,"
                " requested_by, gateway_key) SELECT payment_id, 9, payment_method_id, gateway_name,"
                " method_kind, flow, 'op_x' || id, 'x' || id, request_sealed, status,"
                " requested_by, gateway_key FROM attempts WHERE status = 'succeeded'"
            ),
            "2 attempts succeeded",
        ),
    ],
)
def test_i11_an_answer_under_a_stale_fence_is_found(
    shop: Scene, spoil: Spoil, damage: str, said: str
) -> None:
    spoil("DROP INDEX one_live_attempt_per_payment", damage)
    assert any(said in example for example in find("I11").examples)


def test_i12_a_card_number_is_found_in_tables_json_redis_and_logs(
    shop: Scene, spoil: Spoil, redis: Redis, tmp_path: Path
) -> None:
    spoil(f"UPDATE customers SET name = 'card {PAN}' WHERE id = 1")  # noqa: S608
    spoil('UPDATE notices SET values = \'{"n": "4111 1111 1111 1111"}\' WHERE id = 1')
    redis.hset("rq:job:1", "data", f"charge {PAN}")
    (tmp_path / "web.log").write_text(f"fine\nPOST /pay card={PAN}&x=1\n", encoding="utf-8")
    [row] = [row for row in run_probes(logs_dir=tmp_path) if row.id == "I12"]
    places = {example.partition(":")[0] for example in row.examples}
    assert {"customers 1", "notices 1", "Redis rq", "web.log line 2"} <= places
    assert PAN not in str(row.examples), "the report itself must not show it"


def test_nothing_is_claimed_when_the_gateway_does_not_answer(shop: Scene) -> None:
    connect_to_nowhere(toss_url="http://127.0.0.1:1")
    with pytest.raises(BooksUnread, match="could not be read"):
        run_probes()


def connect_to_nowhere(**changed: str) -> None:
    """Another adapter on the same database."""
    use(Settings(**(current().model_dump() | changed)))
    registry.connect(registry.gateways_of(current()))


def test_nothing_is_claimed_when_redis_does_not_answer(app: Flask) -> None:
    connect("redis://127.0.0.1:1/0")
    with pytest.raises(RedisAway, match="Redis does not answer"):
        run_probes()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (PAN, True),
        ("4111-1111-1111-1111", True),
        ("card 4111 1111 1111 1111.", True),
        ("3782 822463 10005", True),  # 4-6-5
        ("5555555555554444", True),
        ("9410011111111110", True),  # domestic brands begin with 9
        ("4111111111111112", False),  # wrong check digit
        ("411111******1111", False),
        ("41111111111111111111111", False),  # longer than any card
        ("op_4111111111111111", True),
        ("a4111111111111111", False),  # part of a word
        ("1764000000000", False),  # milliseconds since 1970
        ("0.4111111111111111", False),  # seconds with their fraction
        ("2026-11-22 2026-11-23", False),
        ("010-1234-5678", False),
        ("", False),
    ],
)
def test_what_looks_like_a_card_number(text: str, is_one: bool) -> None:
    assert bool(find_pans(text)) is is_one
