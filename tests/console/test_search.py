import re
import unicodedata

import pytest
from psycopg import sql
from sqlalchemy import event

from opsapp.customers import registering
from opsapp.insights import finding
from opsapp.insights.finding_people import initials_of, people_like, read_typed
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.payments.models import Deposit

HIT = re.compile(r'href="/console/search/open/(\w+)/(\d+)"')
BY = Actor("cli", "test")
PEOPLE = ("김래원", "남궁민수", "강민준", "김민준", "Anna Smith", "이서")


def hits(page):
    assert page.status_code == 200, page.text[-300:]
    return {(kind, int(row_id)) for kind, row_id in HIT.findall(page.text)}


def found(visitor, text):
    return hits(visitor.get("/console/search/hits", query_string={"q": text}))


@pytest.fixture
def people(app):
    wishes = [
        registering.NewCustomer(f"P-{n}", name, f"person.{n}@shop.example", f"010-9876-000{n}")
        for n, name in enumerate(PEOPLE)
    ]
    with transaction():
        made = registering.register_customers(wishes, by=BY)
    return {wish.name: made[wish.customer_ref] for wish in wishes}


NAMED = (
    ("김래원", {"김래원"}),
    ("래원", {"김래원"}),
    ("민준", {"강민준", "김민준"}),
    ("ㄱㄹㅇ", {"김래원"}),
    ("ㄹㅇ", {"김래원"}),
    ("ㄱㅁㅈ", {"강민준", "김민준"}),
    ("ㄴㄱㅁㅅ", {"남궁민수"}),
    ("ㅁㅅ", {"남궁민수"}),
    ("김ㅁㅈ", {"김민준"}),
    ("ㄱ민ㅈ", {"강민준", "김민준"}),
    ("궁민", {"남궁민수"}),
    ("남궁 민수", {"남궁민수"}),
    ("김", {"김래원", "김민준"}),
    ("SMITH", {"Anna Smith"}),
    ("na sm", {"Anna Smith"}),
    ("ㅇㅅ", {"이서"}),
    ("래민", set()),
    ("ㅋㅋ", set()),
    ("%", set()),
    ("김_원", set()),
)


def spellings(typed):
    wide = "".join(chr(0xFF01 + ord(c) - 0x21) if "!" <= c <= "~" else c for c in typed)
    return {typed, unicodedata.normalize("NFD", typed), f" {typed} ", wide}


def test_a_customer_is_found_by_any_part_of_the_name_and_by_its_initial_consonants(people):
    for typed, names in NAMED:
        for spelling in spellings(typed):
            ids = set(db.session.scalars(people_like(spelling)))
            assert ids == {people[name] for name in names}, spelling


def test_consonants_that_a_keyboard_joins_are_two():
    assert initials_of("각성") == read_typed("ㄳ").name == read_typed("ㄱㅅ").name


def test_everything_is_found_by_its_numbers(cs, scene, owner, nobodys_tail):
    [(ref, approval, order_id, key, first6, last4, customer)] = owner.execute(
        "SELECT p.ref, p.approval_number, a.gateway_order_id, a.gateway_key, m.first6, m.last4, "
        "p.customer_id FROM payments p JOIN attempts a ON a.payment_id = p.id "
        "JOIN payment_methods m ON m.id = a.payment_method_id WHERE p.id = %s",
        (scene.paid,),
    ).fetchall()
    last4 = last4.replace("*", "7")
    for text in (ref, approval, order_id, key, first6, last4, f"{first6}-**-****-{last4}"):
        assert ("payment", scene.paid) in found(cs, text), text
    people = ("홍길동", "길동", "ㄱㄷ", "5678", "010-1234-5678", "C0@Example.com", first6, "C-1001")
    for text in people:
        assert ("customer", customer) in found(cs, text), text
    for noun, table, row_id in (
        ("subscription", "subscriptions", scene.subscription),
        ("refund", "refunds", scene.refund),
        ("payment", "payments", scene.failed),
    ):
        asked = sql.SQL("SELECT ref FROM {} WHERE id = %s").format(sql.Identifier(table))
        [(its_ref,)] = owner.execute(asked, (row_id,)).fetchall()
        assert (noun, row_id) in found(cs, its_ref)
        assert (noun, row_id) in found(cs, str(row_id))
    assert ("ticket", scene.ticket) in found(cs, str(scene.ticket))
    signs = ("%", "_", "'", "\\", "a\x00b")
    for nothing in ("", "없는사람", nobodys_tail, "9" * 30, "nobody@x.y", *signs):
        assert found(cs, nothing) == set(), nothing


def test_a_depositor_is_found_by_the_whole_name(house, scene, owner):
    owner.execute(
        "INSERT INTO deposits (gateway_name, deposit_key, attempt_id, payment_id, amount_minor, "
        "currency, depositor) SELECT 'toss', 'd', id, payment_id, 100, 'KRW', '박*자' "
        "FROM attempts WHERE payment_id = %s",
        (scene.awaiting,),
    )
    with house.app_context():
        [deposit] = db.session.scalars(db.select(Deposit)).all()
        [group] = finding.find("박입자")
        assert (group.kind, group.hits[0].of_id) == ("deposit", deposit.payment_id)


def test_a_whole_number_opens_its_page_and_is_remembered_without_a_name(cs, scene, owner):
    [(ref,)] = owner.execute("SELECT ref FROM payments WHERE id = %s", (scene.paid,)).fetchall()
    opened = cs.get(f"/console/search/?q={ref}", follow_redirects=True)
    assert opened.request.path == f"/console/payments/{scene.paid}"
    cs.get(f"/console/search/open/customer/{scene.customers[0]}")
    lately = found(cs, "")
    assert lately == {("payment", scene.paid), ("customer", scene.customers[0])}
    with cs.client.session_transaction() as session:
        assert session["found"] == [["customer", scene.customers[0]], ["payment", scene.paid]]
    assert cs.get("/console/search/open/customer/999999").status_code == 404
    assert cs.get("/console/search/open/secret/1").status_code == 404


def test_names_are_masked_and_acts_are_those_of_the_role(cs, as_role, scene):
    page = cs.get("/console/search/?q=길동").text
    assert "홍*동" in page
    assert "홍길동" not in page
    assert "010-1234-5678" not in page
    mine, theirs = (v.get("/console/search/hits?q=").text for v in (cs, as_role("auditor")))
    assert "결제 환불하기" in mine
    assert "결제 환불하기" not in theirs
    assert "결제 환불하기" in cs.get("/console/search/hits?q=ㅎㅂ").text
    assert "/console/staff/" not in mine


def test_a_search_is_a_few_look_ups_by_index(house, scene):
    """Without sequential scans, which a small table invites, each arm must have an index."""
    sent = []
    with house.app_context():
        event.listen(
            db.engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, parameters, *_rest: sent.append((statement, parameters)),
        )
        for text in ("ㄱㄷ", "홍길동", "길동", "김", "5678", "c0@example.com", "1234567", "pay_x1"):
            sent.clear()
            finding.find(text)
            assert len(sent) <= 1 + len(finding.KINDS)
            cursor = db.session.connection().connection.cursor()
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sent[0][0]}", sent[0][1])
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan" not in plan, (text, plan)
            db.session.rollback()
