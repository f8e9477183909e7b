"""Lists as their readers want them: columns, density, saved views, and what a view may not do."""

import html
import re
from urllib.parse import parse_qsl, urlencode

from markupsafe import escape

from opsapp.console.lists import PAGES, home_of, query_of
from opsapp.insights.listing import LISTS
from opsapp.kernel.db import db
from opsapp.staff.models import SavedView
from opsapp.staff.saving_views import NAME_LENGTH_MAX, VIEWS_MAX

PAYMENTS = "/console/payments/"
ROW = re.compile(r'<th scope="row">(.*?)</th>', re.DOTALL)
HEADS = re.compile(r"<thead><tr>(.*?)</tr></thead>", re.DOTALL)
HOSTILE = (
    '"><script>alert(1)</script>',
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "' OR 1=1 --",
    "javascript:alert(1)",
)


def save(visitor, name="실패", query="tab=failed", *, of="payments", **values):
    data = {"name": name, "query": query, **values}
    return visitor.post(f"/console/lists/{of}/views", data)


def view_ids(house, **wanted) -> list[int]:
    with house.app_context():
        found = db.session.query(SavedView).filter_by(**wanted).order_by(SavedView.id)
        return [view.id for view in found]


def rows_of(page) -> list[str]:
    return [re.sub(r"<[^>]+>", "", row).strip() for row in ROW.findall(page.text)]


def heads_of(page) -> list[str]:
    heads = HEADS.search(page.text)
    return [
        re.sub(r"<[^>]+>", "", h).strip() for h in re.findall(r"<th.*?</th>", heads[1], re.DOTALL)
    ]


def test_every_list_opens_with_its_frame_in_few_statements(as_role, scene, statements, house):
    admin = as_role("admin")
    assert PAGES.keys() == LISTS.keys()
    with house.test_request_context("/console/"):
        addresses = {name: home_of(name) for name in LISTS}
    admin.get(addresses["payments"])
    for name, address in addresses.items():
        statements.clear()
        page = admin.get(address)
        assert page.status_code == 200, name
        sent = [s for s in statements if not s.startswith(("BEGIN", "COMMIT", "ROLLBACK", "SET"))]
        menu = re.search(r'hx-get="([^"]+/columns\?[^"]*)"', page.text)[1]
        assert f"/console/lists/{name}/arrangement" in admin.get(html.unescape(menu)).text, name
        if name not in ("failures", "audit"):  # several boxes; a log that notes each look
            assert len(sent) <= 6, (name, sent)


def test_a_saved_view_shows_what_its_list_shows(cs, scene, house):
    query = {"tab": "failed", "method": "card"}
    listed = cs.get(f"{PAYMENTS}?{urlencode(query)}")
    answer = save(cs, "카드 실패", urlencode(query | {"cursor": "x", "view": "3"}))
    assert answer.status_code == 302
    asked = dict(parse_qsl(answer.location.partition("?")[2]))
    [view_id] = view_ids(house, list_name="payments")
    assert asked == query | {"view": str(view_id)}
    page = cs.get(answer.location)
    assert rows_of(page) == rows_of(listed) != []
    count = cs.get(f"/console/lists/views/{view_id}/count")
    assert f">{len(rows_of(listed))}<" in count.text
    assert save(cs, "이상한 것", "tab=nonsense").status_code == 422
    save(cs, "고객", urlencode({"q": "홍길동"}))
    with house.app_context():
        sealed = db.session.execute(db.text("SELECT query_sealed FROM saved_views")).scalars()
        assert not [s for s in sealed if "홍길동".encode() in s or b"%ED" in s]


def test_each_person_sees_of_a_shared_view_what_they_may_see(as_role, house):
    admin, cs, finance = as_role("admin"), as_role("cs"), as_role("finance")
    auditor = as_role("auditor")
    save(admin, "나만 보는 것")
    save(admin, "재무 확인용", "tab=refunded", shared_with="finance")
    save(admin, "모두의 기록", "refused=yes", of="audit", shared_with="everyone")
    mine, shared, logged = view_ids(house)
    assert "재무 확인용" in finance.get(PAYMENTS).text
    assert "나만 보는 것" not in finance.get(PAYMENTS).text
    assert "재무 확인용" not in cs.get(PAYMENTS).text
    for visitor, view_id in ((finance, mine), (cs, shared), (cs, mine)):
        assert visitor.get(f"/console/lists/views/{view_id}/count").status_code == 404
    for verb, data in (("change", {"name": "내 것"}), ("delete", {}), ("filters", {"query": ""})):
        assert cs.post(f"/console/lists/views/{shared}/{verb}", data).status_code == 404
    assert finance.post(f"/console/lists/views/{shared}/delete", {}).status_code == 403
    assert finance.post(f"/console/lists/views/{shared}/filters", {}).status_code == 403
    for path in (f"lists/views/{logged}/count", f"audit/?view={logged}"):
        assert cs.get(f"/console/{path}").status_code == 403
    assert save(cs, "내 기록", of="audit").status_code == 403
    save(auditor, "감사", shared_with="everyone")
    assert len(view_ids(house, name="감사", shared_with="")) == 1, "without the right to share"


def test_a_name_is_only_text_and_as_long_as_said(cs, house):
    for name in HOSTILE:
        assert save(cs, name).status_code == 302
    text = cs.get(PAYMENTS).text
    for name in HOSTILE:
        assert str(escape(name)) in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    for name in ("", "   ", "가" * (NAME_LENGTH_MAX + 1), "a\u202eb"):
        assert save(cs, name).status_code == 422
    assert save(cs, "가" * NAME_LENGTH_MAX).status_code == 302
    assert save(cs, "Today").status_code == 302
    assert save(cs, " today ").status_code == 422
    assert save(cs, "Today", of="refunds", query="").status_code == 302
    assert len(view_ids(house)) == len(HOSTILE) + 3


def test_an_account_keeps_fifty_views_and_no_more(cs, house):
    with house.app_context():
        db.session.execute(
            db.text(
                "INSERT INTO saved_views (ref, account_id, list_name, name, query_sealed, columns)"
                " SELECT 'v' || n, a.id, 'orders', 'n' || n, '', '{}'"
                " FROM staff_accounts a, generate_series(1, :count) AS n"
                " WHERE a.email = 'cs@example.com'"
            ),
            {"count": VIEWS_MAX - 1},
        )
        db.session.commit()
    assert save(cs, "마지막").status_code == 302
    assert save(cs, "하나 더").status_code == 422


def test_a_list_opens_as_its_reader_wants_it(cs, as_role, scene, house):
    before = heads_of(cs.get(PAYMENTS))
    data = {"columns": "ref,amount_minor,gateway_name", "density": "compact", "next": PAYMENTS}
    assert cs.post("/console/lists/payments/arrangement", data).location == PAYMENTS
    page = cs.get(PAYMENTS)
    assert [head for head in heads_of(page) if head] == ["결제번호", "금액", "결제사"]
    assert "cards compact" in page.text
    assert heads_of(as_role("finance").get(PAYMENTS)) != heads_of(page)
    cs.post("/console/lists/payments/arrangement", {"columns": "ref", "reset": "yes"})
    assert heads_of(cs.get(PAYMENTS)) == before

    save(cs, "실패만", "tab=failed", is_default="yes")
    [view_id] = view_ids(house)
    answer = cs.get(PAYMENTS)
    assert answer.location.endswith(f"{PAYMENTS}?tab=failed&view={view_id}")
    tab = re.search(rf'href="({PAYMENTS}[^"]*)"[^>]*>전체<', cs.get(answer.location).text)
    assert cs.get(html.unescape(tab[1])).status_code == 200, "all rows are one click away"
    cs.post(f"/console/lists/views/{view_id}/delete", {})
    assert cs.get(PAYMENTS).status_code == 200


def test_two_addresses_of_the_same_rows_are_one_query():
    assert query_of({"tab": "a", "q": "x", "cursor": "c", "view": "1", "since": ""}) == "q=x&tab=a"


def test_the_sums_over_a_list_are_those_of_all_its_rows(cs, scene, house, owner):
    for path in ("subscriptions/", "orders/?tab=orders", "payments/?basis=paid"):
        assert "totals" not in cs.get(f"/console/{path}").text, "no period, no sum"
    [(count, total)] = owner.execute(
        "SELECT count(*), sum(amount_minor) FROM subscriptions "
        "WHERE status IN ('trialing', 'active', 'past_due')"
    ).fetchall()
    [(day,)] = owner.execute(
        "SELECT (next_due_at AT TIME ZONE 'Asia/Seoul')::date FROM subscriptions "
        "WHERE status = 'active'"
    ).fetchall()
    page = cs.get(f"/console/subscriptions/?since={day}&until={day}").text
    assert f"<dd>{count}</dd>" in page
    assert f"{total:,}원" in page.partition("totals")[2][:600]
