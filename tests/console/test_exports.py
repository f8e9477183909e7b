"""Exports at the screen: the file of a filter is the list of that filter, and leaves a trace."""

import csv
import io
import re

import openpyxl

from opsapp.console import export_rows
from opsapp.exports import running
from opsapp.exports.queries import ExportOrder
from opsapp.insights.listing import LISTS
from opsapp.kernel.actors import Actor

NEW = "/console/exports/new"


def ordered(visitor, address, **changes):
    """The form as the screen fills it in, and what is changed in it."""
    page = visitor.get(address).text
    form = {
        name: re.search(rf'name="{name}" value="([^"]*)"', page)[1].replace("&amp;", "&")
        for name in ("request_id", "list", "query")
    }
    ticked = re.findall(r'name="column" value="([^"]+)" checked', page)
    form |= {"column": ticked, "format": "csv", "zone": "Asia/Seoul", "because": "월 마감 대사"}
    return visitor.post("/console/exports/", form | changes)


def table(answer):
    with answer:
        return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def exporting_order(name, columns):
    return ExportOrder(
        list_name=name, query={}, columns=columns, format="csv", zone="UTC", locale="ko",
        is_revealed=False,
    )  # fmt: skip


def test_the_file_of_a_filter_is_the_list_of_that_filter_in_both_kinds(cs, scene):
    answer = ordered(
        cs, f"{NEW}?list=payments&tab=approved", column=["ref", "title", "amount_minor"]
    )
    assert answer.status_code == 200
    name = answer.headers["Content-Disposition"]
    assert re.search(r"payments_all_until_\d{4}-\d\d-\d\d\.csv", name)
    titles, *rows = table(answer)
    assert titles == ["결제번호", "상품", "금액", "통화"]
    shown = cs.get("/console/payments/?tab=approved").text
    assert rows
    assert all(row[1] in shown for row in rows)
    assert {row[2] for row in rows} == {"129000", "32000"}
    other = ordered(
        cs,
        f"{NEW}?list=payments&tab=approved",
        column=["ref", "title", "amount_minor"],
        format="xlsx",
    )
    with other:
        sheet = openpyxl.load_workbook(io.BytesIO(other.data)).active
    assert [[str(cell.value) for cell in row] for row in list(sheet.rows)[1:]] == rows


def test_every_list_can_be_written_and_none_of_them_bares_anybody(house, scene):
    with house.app_context():
        for name, listed in LISTS.items():
            order = exporting_order(name, tuple(column.key for column in listed.columns))
            source = export_rows.open_source(order)
            rows, _cursor = source.read(None)
            assert all(len(row) == len(source.columns) for row in rows)
            assert "홍길동" not in str(rows)
            assert "010-1234-5678" not in str(rows)


def test_personal_data_is_masked_unless_somebody_with_the_right_asks_and_says_why(
    cs, as_role, scene, owner
):
    address = f"{NEW}?list=customers"
    masked = table(ordered(cs, address))
    assert ["홍*동" in row for row in masked].count(True) == 1
    assert ordered(cs, address, is_revealed="yes", because="  ").status_code == 422
    bare = table(ordered(cs, address, is_revealed="yes", because="고객 요청 확인"))
    assert ["홍길동" in row for row in bare].count(True) == 1
    assert ordered(as_role("finance"), address, is_revealed="yes").status_code == 403
    found = owner.execute(
        "SELECT because, detail FROM audit_entries WHERE action = 'export.delivered' ORDER BY id"
    ).fetchall()
    assert [detail["is_revealed"] for _, detail in found] == [False, True]
    assert found[1][0] == "고객 요청 확인"
    assert found[1][1]["rows"] == 5


def test_a_large_file_is_fetched_by_its_orderer_alone_and_only_by_post(
    house, cs, as_role, scene, monkeypatch
):
    admin = as_role("admin")
    monkeypatch.setattr("opsapp.exports.rules.AT_ONCE_MAX", 1)
    answer = ordered(cs, f"{NEW}?list=payments")
    assert answer.status_code == 302
    export_id = int(answer.location.rsplit("/", 1)[1])
    assert "data-live" in cs.get(answer.location).text
    with house.app_context():
        running.write_exports([export_id], export_rows.open_source, by=Actor("worker", "test"))
    page = cs.get(answer.location).text
    assert "data-live" not in page
    assert "내려받기" in page
    assert len(table(cs.post(f"{answer.location}/file"))) == 7
    assert cs.get(f"{answer.location}/file").status_code == 405
    assert admin.get(answer.location).status_code == 404
    assert admin.post(f"{answer.location}/file").status_code == 404
    assert "월 마감 대사" in cs.get("/console/exports/").text
    assert "월 마감 대사" not in admin.get("/console/exports/").text


def test_a_list_that_the_role_may_not_see_is_none_to_export(cs, as_role):
    assert cs.get(f"{NEW}?list=audit").status_code == 403
    assert as_role("auditor").get(f"{NEW}?list=audit").status_code == 200
    assert cs.get(f"{NEW}?list=nothing").status_code == 404


def test_a_polled_request_keeps_no_sign_in_alive(cs, owner):
    owner.execute("UPDATE staff_sessions SET last_seen_at = now() - interval '10 minutes'")
    before = owner.execute("SELECT max(last_seen_at) FROM staff_sessions").fetchone()
    cs.get("/console/", headers={"X-Polled": "yes"})
    cs.get("/console/jobs/figures")
    assert owner.execute("SELECT max(last_seen_at) FROM staff_sessions").fetchone() == before
    cs.get("/console/")
    assert owner.execute("SELECT max(last_seen_at) FROM staff_sessions").fetchone() > before
