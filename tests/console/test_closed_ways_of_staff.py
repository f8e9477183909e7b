"""Ways past the log, the masks and the rights that members of staff tried and that stay closed."""

import pytest

from opsapp.exports import rules
from tests.console.test_bulk import REVIEW
from tests.console.test_exports import NEW, ordered, table
from tests.console.test_lists import save, view_ids

EVIL = "<img src=x onerror=alert(1)>{{ 7777*7 }}{% raw %}"


def entries(owner, action):
    return owner.execute(
        "SELECT detail FROM audit_entries WHERE action = %s ORDER BY id", (action,)
    ).fetchall()


@pytest.mark.parametrize(
    "text",
    [
        " =1+1", "\u3000=1+1", "\xa0@SUM(A1)", "\u200b=1+1", "\ufeff+82", "\u202e-2", "\n =1",
        "\x0b=1", "\uff1d1", "\ufe66 1", "\u22121", " \uff20x", "\tx", "\nx",
    ],
)  # fmt: skip
def test_no_cell_begins_a_formula_whatever_stands_unseen_before_it(text):
    assert rules.harmless(text) == f"'{text}"


def test_a_cell_that_begins_nothing_stays_as_it_is():
    for text in ("", " ", "홍*동", " 보통", "\u3000보통", "1-2", "'=1", "–", "a=b"):
        assert rules.harmless(text) == text


def status_of(visitor, address, **form):
    with ordered(visitor, address, **form) as answer:
        return answer.status_code


def test_the_number_of_one_file_carries_no_other_file_past_the_log(cs, as_role, scene, owner):
    address, number = f"{NEW}?list=customers", "n" * 24
    first = {"request_id": number, "because": "고객 명단 확인"}
    assert status_of(cs, address, **first) == 200
    for changes in (
        {"is_revealed": "yes"},
        {"list": "payments", "column": ["ref"]},
        {"column": ["customer_ref", "phone"]},
        {"query": "q=길동"},
        {"because": "다른 까닭"},
    ):
        assert status_of(cs, address, **(first | changes)) == 422, changes
    assert status_of(as_role("admin"), address, **first) == 422
    assert [d["is_revealed"] for (d,) in entries(owner, "export.delivered")] == [False]
    assert status_of(cs, address, **first) == 200
    assert len(entries(owner, "export.delivered")) == 2, "each copy is an entry"


def test_what_stands_in_the_address_of_a_file_is_kept_out_of_the_log(cs, scene, owner):
    answer = ordered(
        cs, f"{NEW}?list=payments", query="tab=approved&홍길동=1&010-1234-5678=1&a%00b=1"
    )
    assert answer.status_code == 200
    [(detail,)] = entries(owner, "export.delivered")
    assert detail["filters"] == ["tab"]
    assert len(table(answer)) == 3


def test_what_stands_in_the_address_of_a_list_is_kept_out_of_its_bulk_job(cs, scene, owner):
    smuggled = "tab=active&method=card%00&status=홍길동&name=010-1234-5678&a%00b=c&q="
    form = {"act": "pause", "scope": "all", "list": "subscriptions", "query": smuggled}
    page = cs.post(REVIEW, form).text
    sent = form | issued(page)
    answer = cs.post("/console/jobs/bulk/", sent | {"because": "정리"})
    assert answer.status_code == 302
    [(text,)] = owner.execute("SELECT filter_text FROM bulk_jobs").fetchall()
    assert text == "all, active, not searched, method=card"


def issued(page):
    names = ("request_id", "seen_total")
    return {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in names}


def test_a_right_that_is_asked_in_a_form_is_noted_when_it_is_refused(cs, as_role, scene, owner):
    assert cs.get(f"{NEW}?list=audit").status_code == 403
    assert save(cs, of="audit", query="").status_code == 403
    assert (
        ordered(as_role("auditor"), f"{NEW}?list=customers", is_revealed="yes").status_code == 403
    )
    found = [d["endpoint"] for (d,) in entries(owner, "staff_account.access_denied")]
    assert found == ["console.exports.show_new", "console.lists.save", "console.exports.order"]


def test_who_may_not_share_any_more_changes_nothing_that_others_look_through(
    cs, as_role, house, owner
):
    save(cs, "모두의 실패", "tab=failed", shared_with="everyone")
    save(cs, "내 것", "tab=failed")
    shared, mine = view_ids(house)
    owner.execute("UPDATE staff_accounts SET role = 'auditor' WHERE email = 'cs@example.com'")
    path = f"/console/lists/views/{shared}"
    assert cs.post(f"{path}/filters", {"query": "tab=approved"}).status_code == 403
    assert cs.post(f"{path}/change", {"name": "환불 여기로"}).status_code == 403
    assert (
        cs.post(f"{path}/change", {"name": "모두의 실패", "is_default": "yes"}).status_code == 302
    )
    own = {"name": "이름", "shared_with": "everyone"}
    assert cs.post(f"/console/lists/views/{mine}/change", own).status_code == 302
    assert view_ids(house, shared_with="everyone") == [shared]
    assert cs.post(f"{path}/delete").status_code == 302, "what is shared may be taken back"


def test_a_view_of_another_is_neither_counted_nor_opened_first_nor_changed(cs, as_role, house):
    save(cs, "홍길동 건", "q=홍길동")
    [private] = view_ids(house)
    other, path = as_role("admin"), f"/console/lists/views/{private}"
    assert other.get(f"{path}/count").status_code == 404
    for act in ("change", "filters", "delete"):
        answer = other.post(f"{path}/{act}", {"name": "x", "query": "", "is_default": "yes"})
        assert answer.status_code == 404, act
    assert "홍길동" not in other.get(f"/console/payments/?view={private}").text


def test_what_staff_write_in_cases_stands_there_as_text(as_role, scene, owner):
    admin = as_role("admin")
    ticket, customer = (
        f"/console/tickets/{scene.ticket}",
        f"/console/customers/{scene.customers[0]}",
    )
    macro = {"name": EVIL[:55], "text_ko": EVIL[:40], "text_en": EVIL[:40]}
    view = {"name": EVIL[:55], "query": "tab=failed", "shared_with": "everyone"}
    written = (
        (f"{ticket}/note", {"text": EVIL, "request_id": "n" * 20}),
        (f"/console/notes/customer/{scene.customers[0]}", {"text": EVIL, "request_id": "m" * 20}),
        ("/console/lists/payments/views", view),
    )
    for path, form in written:
        assert admin.post(path, form).status_code == 302, path
    pages = [
        admin.post(f"{ticket}/messages/preview", {"text": EVIL, "request_id": "p" * 20}).text,
        admin.post("/console/settings/macros/new", macro).text,
        admin.get("/console/search/", query_string={"q": EVIL}).text,
        admin.get("/console/search/hits", query_string={"q": EVIL}).text,
        *(admin.get(path).text for path in (ticket, customer, "/console/payments/")),
    ]
    for number, page in enumerate(pages):
        assert "<img src=x" not in page, number
        assert "54439" not in page, number


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/console/\\@evil"])
def test_no_form_leads_out_of_the_console(cs, scene, wanted):
    for path in ("lists/payments/arrangement", f"tickets/{scene.ticket}/take", "tour/end"):
        location = cs.post(f"/console/{path}", {"next": wanted, "density": "compact"}).location
        assert location is None or location.startswith("/console/"), path
        assert "evil" not in (location or "")
