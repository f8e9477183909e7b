import csv
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

TELCO = Path(__file__).parents[3] / "shared" / "data" / "telco" / "subscriptions.csv"
GOOD = {
    "customer_ref": "c-1",
    "email": "c-1@example.com",
    "phone": "010-0000-1234",
    "locale": "ko",
    "plan_code": "basic",
    "plan_name": "기본 요금제",
    "interval": "month",
    "interval_count": "1",
    "amount": "9900",
    "currency": "KRW",
    "method": "card",
    "method_expires": "2029-02",
    "anchor_day": "31",
    "started_on": "2026-02-28",
    "contract": "month_to_month",
    "terms_version": "2026-01",
    "consented_on": "2026-02-28",
    "status": "active",
    "cancelled_on": "",
}
COLUMNS = list(GOOD)


class Importer:
    """Runs the command as a person does, on the test's own database."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.rejects: list[list[str]] = []
        self.errors = ""

    def lines(self, *lines: str | bytes) -> tuple[str, int]:
        raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
        file = self._folder / "contracts.csv"
        file.write_bytes(b"\n".join(raw) + b"\n")
        return self.file(file)

    def rows(self, *rows: dict[str, str]) -> tuple[str, int]:
        return self.lines(",".join(COLUMNS), *[line(row) for row in rows])

    def file(self, file: Path) -> tuple[str, int]:
        """The last line of the output, and the exit code."""
        rejects = self._folder / "rejects.csv"
        command = [sys.executable, "-m", "opsapp.cli", "import", "subscriptions", str(file)]
        done = subprocess.run(
            [*command, "--rejects", str(rejects)],
            env=self._environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        self.errors = done.stderr
        with rejects.open(newline="") as opened:
            self.rejects = list(csv.reader(opened))[1:]
        return done.stdout.strip().split("\n")[-1], done.returncode


def line(row: dict[str, str]) -> str:
    return ",".join(f'"{row[name]}"' for name in COLUMNS)


@pytest.fixture
def importer(tmp_path: Path, environment: Callable[[], dict[str, str]]) -> Importer:
    return Importer(tmp_path, environment() | {"PYTHONPATH": str(Path.cwd())})


def one(owner: psycopg.Connection, query: str) -> object:
    row = owner.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_a_contract_is_there_whole_and_its_method_can_be_charged(importer, owner):
    assert importer.rows(GOOD) == ("imported 1, unchanged 0, rejected 0", 0)
    found = owner.execute(
        "SELECT s.status, s.anchor_on::text, s.anchor_day, s.contract, m.status, m.is_default, "
        "m.expires_on::text, m.billing_key_sealed IS NOT NULL, c.name, p.name "
        "FROM subscriptions s JOIN payment_methods m ON m.id = s.payment_method_id "
        "JOIN customers c ON c.id = s.customer_id JOIN plans p ON p.id = s.plan_id"
    ).fetchall()
    assert found == [
        ("active", "2026-02-28", 31, "month_to_month", "active", True, "2029-02-28", True, "c-1",
         "기본 요금제")
    ]  # fmt: skip


def test_importing_again_changes_nothing(importer, owner):
    importer.rows(GOOD)
    before = one(owner, "SELECT count(*) FROM audit_entries")
    assert importer.rows(GOOD) == ("imported 0, unchanged 1, rejected 0", 0)
    assert one(owner, "SELECT count(*) FROM audit_entries") == before


def test_a_contract_that_had_ended_comes_in_without_a_billing_key(importer, owner):
    row = GOOD | {"status": "cancelled", "cancelled_on": "2026-03-05"}
    assert importer.rows(row) == ("imported 1, unchanged 0, rejected 0", 0)
    assert one(owner, "SELECT status FROM subscriptions") == "cancelled"
    assert owner.execute("SELECT status, kind FROM payment_methods").fetchall() == [
        ("deleted", "card")
    ]


def test_a_customer_may_have_several_contracts(importer, owner):
    other = GOOD | {"plan_code": "extra", "method": "virtual_account", "method_expires": ""}
    assert importer.rows(GOOD, other) == ("imported 2, unchanged 0, rejected 0", 0)
    assert one(owner, "SELECT count(*) FROM customers") == 1
    assert one(owner, "SELECT count(*) FROM payment_methods WHERE is_default") == 1


BROKEN = [
    ({"customer_ref": ""}, "customer_ref"),
    ({"customer_ref": "x" * 65}, "customer_ref"),
    ({"email": "nobody"}, "email"),
    ({"phone": "1"}, "phone"),
    ({"locale": "fr"}, "locale"),
    ({"plan_code": "b a"}, "plan_code"),
    ({"plan_name": "가" * 101}, "plan_name"),
    ({"interval": "year"}, "interval"),
    ({"interval_count": "0"}, "interval_count"),
    ({"interval_count": "1.5"}, "interval_count"),
    ({"amount": "0"}, "amount"),
    ({"amount": "-5"}, "amount"),
    ({"amount": "10.5"}, "amount"),
    ({"amount": "9223372036854775808"}, "amount"),
    ({"amount": "９９"}, "amount"),
    ({"amount": "1e5"}, "amount"),
    ({"currency": "BTC"}, "currency"),
    ({"currency": "krw"}, "currency"),
    ({"method": "cash"}, "method"),
    ({"method": "transfer"}, "method_expires"),
    ({"method_expires": "2029-13"}, "method_expires"),
    ({"anchor_day": "0"}, "anchor_day"),
    ({"anchor_day": "32"}, "anchor_day"),
    ({"anchor_day": "30", "started_on": "2026-02-27"}, "started_on"),
    ({"started_on": "2026-02-30"}, "started_on"),
    ({"started_on": "20260228"}, "started_on"),
    ({"started_on": "0001-01-31"}, "started_on"),
    ({"contract": "=cmd()"}, "contract"),
    ({"terms_version": "v" * 33}, "terms_version"),
    ({"consented_on": "yesterday"}, "consented_on"),
    ({"status": "paused"}, "status"),
    ({"status": "cancelled"}, "cancelled_on"),
    ({"cancelled_on": "2026-03-05"}, "cancelled_on"),
    ({"status": "cancelled", "cancelled_on": "2026-01-05"}, "cancelled_on"),
    ({"plan_name": "보이지\u0000않는"}, "plan_name"),
]


def test_a_broken_row_is_refused_by_its_column_and_spoils_no_other(importer, owner):
    own = [{"customer_ref": f"c-{n}", "plan_code": f"p-{n}"} for n in range(len(BROKEN))]
    rows = [GOOD | mine | wrong for mine, (wrong, _) in zip(own, BROKEN, strict=True)]
    good = GOOD | {"customer_ref": "whole", "plan_code": "whole"}
    expected = f"imported 1, unchanged 0, rejected {len(BROKEN)}"
    assert importer.rows(*rows, good) == (expected, 3)
    assert [(number, column) for number, column, _ in importer.rejects] == [
        (str(number), column) for number, (_, column) in enumerate(BROKEN, start=2)
    ]
    assert all(reason for *_, reason in importer.rejects)
    # Never half a row: of the refused ones nothing is left.
    assert one(owner, "SELECT string_agg(customer_ref, ',') FROM customers") == "whole"
    assert one(owner, "SELECT string_agg(code, ',') FROM plans") == "whole"


def test_what_the_file_itself_gets_wrong_is_refused_line_by_line(importer):
    good = line(GOOD)
    last, code = importer.lines(
        ",".join(COLUMNS),
        good,
        good,
        good.rpartition(",")[0],
        good + ",more",
        '"' + good,
        line(GOOD | {"customer_ref": "c-9"}).encode().replace("기".encode(), b"\xff"),
        "x" * 200_000,
        "",
        line(GOOD | {"customer_ref": "c-8", "amount": "8800"}),
        line(GOOD | {"customer_ref": "c-7"}),
    )
    assert (last, code) == ("imported 2, unchanged 0, rejected 7", 3)
    assert [(number, column) for number, column, _ in importer.rejects] == [
        ("3", "customer_ref"), ("4", ""), ("5", ""), ("6", ""), ("7", ""), ("8", ""),
        ("10", "plan_code"),
    ]  # fmt: skip
    reasons = " ".join(reason for *_, reason in importer.rejects)
    for word in ("line 2", "has 18 columns", "has 20 columns", "quote", "UTF-8", "65536 bytes"):
        assert word in reasons


@pytest.mark.parametrize(
    ("header", "column"),
    [
        (COLUMNS[1:], "customer_ref"),
        ([*COLUMNS, "shoe_size"], "shoe_size"),
        ([*COLUMNS, "email"], "email"),
        ([], "customer_ref"),
    ],
)
def test_a_wrong_header_imports_nothing_and_says_what_is_expected(importer, header, column):
    assert importer.lines(",".join(header), line(GOOD)) == (
        "imported 0, unchanged 0, rejected 1", 3,
    )  # fmt: skip
    [(number, named, reason)] = importer.rejects
    assert (number, named) == ("1", column)
    assert "customer_ref,email" in reason


def test_a_name_column_and_a_byte_order_mark_are_welcome(importer, owner):
    header = ",".join([*COLUMNS, "name"])
    row = f"{line(GOOD)},홍길동\r"
    assert importer.lines(f"\ufeff{header}\r", row)[0] == "imported 1, unchanged 0, rejected 0"
    assert one(owner, "SELECT name FROM customers") == "홍길동"


def test_a_known_contract_with_another_start_is_refused(importer):
    importer.rows(GOOD)
    moved = GOOD | {"started_on": "2026-03-31", "consented_on": "2026-03-31"}
    assert importer.rows(moved) == ("imported 0, unchanged 0, rejected 1", 3)
    assert importer.rejects[0][1] == "started_on"


def test_a_database_without_the_tables_is_no_fault_of_a_line(importer, owner):
    owner.execute("ALTER TABLE subscriptions RENAME TO elsewhere")
    assert importer.rows(GOOD) == ("", 2)
    assert "opsapp migrate" in importer.errors
    assert importer.rejects == []


@pytest.mark.skipif(not TELCO.exists(), reason="the real contracts are not on this machine")
def test_seven_thousand_real_contracts_come_in_within_a_minute(importer, owner):
    started = time.monotonic()
    assert importer.file(TELCO) == ("imported 7043, unchanged 0, rejected 0", 0)
    assert time.monotonic() - started < 60
    statuses = "SELECT status, count(*) FROM subscriptions GROUP BY status ORDER BY status"
    assert owner.execute(statuses).fetchall() == [("active", 5174), ("cancelled", 1869)]
    active = "SELECT sum(amount_minor) FROM subscriptions WHERE status = 'active'"
    assert one(owner, active) == 316_985_750
    kinds = "SELECT kind, count(*) FROM payment_methods GROUP BY kind"
    assert dict(owner.execute(kinds).fetchall()) == {
        "card": 1522, "transfer": 1544, "easy_pay": 2365, "virtual_account": 1612,
    }  # fmt: skip
    assert one(owner, "SELECT count(*) FROM payment_methods WHERE status = 'requested'") == 0
    assert importer.file(TELCO) == ("imported 0, unchanged 7043, rejected 0", 0)
