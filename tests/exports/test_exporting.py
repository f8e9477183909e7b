"""Files of lists: whole, harmless, small in memory, kept for one person and not for long."""

import csv
import io
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import openpyxl
import pytest

from opsapp.exports import (
    expiring,
    exporting,
    handing_over,
    ordering,
    queries,
    rules,
    running,
    stopping,
)
from opsapp.exports.errors import NoFile, TooManyExports
from opsapp.exports.models import Export, ExportPart
from opsapp.exports.ordering import ExportWish
from opsapp.exports.writing_sheets import SheetColumn, Source, open_sheet
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import AuditEntry

ME, YOU = Actor("staff", "1"), Actor("staff", "2")
WORKER = Actor("worker", "exports.write")
COLUMNS = (SheetColumn("no", "번호"), SheetColumn("name", "이름"))
HOSTILE = ["=1+1", "+82", "-2", "@SUM(A1)", "\tx", "\rx", "=cmd", "'quoted", 'a"b,c\nd', "보통"]


def source(total, *, broken_at=None):
    def read(cursor):
        at = int(cursor or 0)
        if broken_at is not None and at >= broken_at:
            raise Invalid(field="x", reason="broken")
        end = min(at + rules.PAGE, total)
        rows = [[n, f"고객 {n}"] for n in range(at, end)]
        return rows, str(end) if end < total else None

    return Source(COLUMNS, read)


def wish(*, format_="csv", request_id="r" * 20, **options):
    return ExportWish(
        request_id=request_id, list_name="payments", query={"q": "홍길동", "since": "2026-11-01"},
        columns=("no", "name"), format=format_, zone="Asia/Seoul", locale="ko",
        because="월 마감 대사", **options,
    )  # fmt: skip


def ordered(**options):
    with transaction():
        return ordering.order(wish(**options), by=ME)


def written(format_, rows, zone="Asia/Seoul"):
    file = io.BytesIO()
    sheet = open_sheet(format_, file, [SheetColumn(str(n), str(n)) for n in range(9)], zone=zone)
    sheet.write(rows)
    sheet.close()
    file.seek(0)
    return file


def kept(export_id):
    return b"".join(queries.read_parts(export_id))


def status(export_id):
    with transaction():
        return db.session.get(Export, export_id).status


def entries(export_id):
    with transaction():
        rows = db.session.query(AuditEntry).filter_by(subject_type="export", subject_id=export_id)
        return [(row.action, row.detail) for row in rows.order_by(AuditEntry.id)]


def test_no_text_is_a_formula_in_either_kind_and_numbers_stay_numbers():
    row = [*HOSTILE[:6], -5000, Decimal("12.50"), None]
    text = written("csv", [row]).getvalue()
    assert text.startswith(b"\xef\xbb\xbf")
    [_, cells] = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))
    assert cells[:6] == [f"'{cell}" for cell in HOSTILE[:6]]
    assert cells[6:] == ["-5000", "12.50", ""]
    sheet = openpyxl.load_workbook(written("xlsx", [row])).active
    found = list(list(sheet.rows)[1])
    assert [cell.data_type for cell in found[:6]] == ["s"] * 6
    assert found[0].value == "=1+1"
    assert [found[6].value, found[7].value, found[8].value] == [-5000, 12.5, None]


def test_moments_are_those_of_the_chosen_zone():
    moment = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
    sheet = openpyxl.load_workbook(written("xlsx", [[moment, date(2026, 1, 31)]])).active
    assert sheet["A2"].value == datetime(2026, 11, 23, 0, 30)  # noqa: DTZ001 - a cell has no zone
    assert sheet["B2"].value.date() == date(2026, 1, 31)
    text = written("csv", [[moment]], zone="UTC").getvalue().decode("utf-8-sig")
    assert "2026-11-22 15:30:00" in text


def test_a_small_list_is_handed_over_at_once_and_stands_in_the_log_without_its_search(app):
    done = exporting.export(wish(), source(2_500), by=ME)
    rows = list(csv.reader(io.TextIOWrapper(done.file, "utf-8-sig", newline="")))
    assert [len(rows), rows[0], rows[-1]] == [2_501, ["번호", "이름"], ["2499", "고객 2499"]]
    assert done.name == f"payments_2026-11-01_{clock.seoul_date(clock.now())}.csv"
    [(action, detail)] = entries(done.export_id)
    assert action == "export.delivered"
    assert detail["rows"] == 2_500
    assert detail["filters"] == ["q", "since"]
    assert "홍길동" not in str(detail)
    with transaction():
        row = db.session.get(Export, done.export_id)
        assert "홍길동".encode() not in row.query_sealed
    assert queries.get_order(done.export_id).query["q"] == "홍길동"


def test_a_list_that_breaks_half_way_is_a_refusal_and_no_file(app):
    with pytest.raises(Invalid):
        exporting.export(wish(), source(3_000, broken_at=2_000), by=ME)
    with transaction():
        assert db.session.query(Export).count() == 0


def test_a_large_list_is_written_by_a_worker_and_fetched_by_its_orderer_alone(app):
    done = exporting.export(wish(format_="xlsx"), source(rules.AT_ONCE_MAX + 1), by=ME)
    assert done.file is None
    again = exporting.export(wish(format_="xlsx"), source(rules.AT_ONCE_MAX + 1), by=ME)
    assert again.export_id == done.export_id, "a form sent twice is one export"
    running.write_exports([done.export_id], lambda _order: source(10_001), by=WORKER)
    assert status(done.export_id) == "ready"
    sheet = openpyxl.load_workbook(io.BytesIO(kept(done.export_id)), read_only=True).active
    assert sum(1 for _ in sheet.iter_rows()) == 10_002
    with transaction(), pytest.raises(NotFound):
        handing_over.hand_over(done.export_id, by=YOU)
    with transaction():
        handing_over.hand_over(done.export_id, by=ME)
    assert [action for action, _ in entries(done.export_id)][-1] == "export.fetched"


def test_a_worker_that_dies_leaves_an_export_that_begins_again(app, monkeypatch):
    export_id = ordered()
    monkeypatch.setattr(rules, "LEASE", timedelta(0))

    def die(_order):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.write_exports([export_id], die, by=WORKER)
    assert status(export_id) == "running"
    running.write_exports([export_id], lambda _order: source(1_500), by=WORKER)
    assert status(export_id) == "ready"
    assert kept(export_id).count(b"\r\n") == 1_501


def test_what_cannot_be_read_fails_and_keeps_nothing(app):
    export_id = ordered()
    running.write_exports([export_id], lambda _order: source(3_000, broken_at=1_000), by=WORKER)
    assert status(export_id) == "failed"
    with transaction(), pytest.raises(NoFile):
        handing_over.hand_over(export_id, by=ME)
    assert kept(export_id) == b""


def test_an_export_that_is_stopped_while_it_is_written_keeps_nothing(app):
    export_id = ordered()

    def opened(_order):
        whole = source(3_000)

        def read(cursor):
            if cursor == "1000":
                db.session.rollback()
                with transaction():
                    stopping.cancel(export_id, by=ME)
            return whole.read(cursor)

        return Source(COLUMNS, read)

    running.write_exports([export_id], opened, by=WORKER)
    assert status(export_id) == "cancelled"
    assert kept(export_id) == b""


def test_nobody_has_more_than_a_few_under_way(app):
    for n in range(rules.OPEN_MAX):
        ordered(request_id=f"{n}" * 20)
    with pytest.raises(TooManyExports):
        ordered(request_id="x" * 20)


def test_a_file_is_deleted_after_a_week(app):
    export_id = ordered()
    running.write_exports([export_id], lambda _order: source(10), by=WORKER)
    with transaction():
        assert expiring.expire() == 0
    with transaction():
        clock.advance(rules.KEPT + timedelta(minutes=1))
    with transaction():
        assert expiring.expire() == 1
    assert status(export_id) == "expired"
    with transaction():
        assert db.session.query(ExportPart).count() == 0


@pytest.mark.parametrize("because", ["", "  a ", "x" * 201])
def test_a_reason_is_asked_for(because):
    with pytest.raises(Invalid):
        ExportWish("r" * 20, "payments", {}, ("no",), "csv", "UTC", "ko", because)


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_memory_does_not_grow_with_the_rows(tmp_path, format_):
    rows = [[n, "고객"] for n in range(1_000)]

    def peak(pages):
        with (tmp_path / f"{pages}.{format_}").open("wb") as file:
            sheet = open_sheet(format_, file, COLUMNS, zone="UTC")
            tracemalloc.start()
            for _ in range(pages):
                sheet.write(rows)
            _now, highest = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            sheet.close()
        return highest

    few = peak(2)
    assert peak(100 if format_ == "csv" else 8) < few + 1_000_000
