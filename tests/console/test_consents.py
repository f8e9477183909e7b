"""Terms and consents as staff see them."""

import csv
import io
import json
import re

import pytest

from opsapp.consents import queries
from opsapp.kernel.db import transaction

TERMS = "/console/settings/terms/"
TEXTS = ("title_ko", "text_ko", "title_en", "text_en")


@pytest.fixture
def customer(scene):
    return scene.customers[4]


@pytest.fixture
def latest(house):
    with house.app_context(), transaction():
        terms = queries.list_versions("price_change")[0]
        return {name: getattr(terms, name) for name in TEXTS}


def publish(visitor, latest, **changes):
    form = latest | {
        "effective_from": "2099-01-01",
        "because": "법무 검토 반영",
        "seen_version": "1",
        "text_ko": latest["text_ko"] + "\n문의: 고객센터",
    }
    return visitor.post(f"{TERMS}price_change/", form | changes)


def test_another_version_is_published_read_and_kept_beside_the_old_one(as_role, latest):
    admin = as_role("admin")
    answer = publish(admin, latest)
    assert answer.status_code == 302, answer.text
    page = admin.get(answer.location).text
    assert "새 버전을 게시했습니다" in page
    assert "2099-01-01" in admin.get(TERMS).text
    number = re.search(rf"{TERMS}versions/[0-9]+", page)[0]
    words = admin.get(number).text
    assert "문의: 고객센터" in words
    assert "22,900원" in words, "with sample values"
    stale = publish(admin, latest, text_ko=latest["text_ko"] + "\n또 다른 문구")
    assert stale.status_code == 409
    assert "버전 2" in stale.text


def test_what_cannot_be_published_keeps_the_page_and_names_the_field(as_role, latest):
    admin = as_role("admin")
    for changes, said in (
        ({"text_ko": "{new_amount} {from_on}"}, "{old_amount}"),
        ({"text_en": "{old_amount} {new_amount} {from_on} {x}"}, "{x}"),
        ({"effective_from": "2020-01-01"}, "오늘 또는 그 이후"),
        ({"effective_from": "soon"}, "aria-invalid"),
        ({"because": ""}, "3~200자"),
        ({"title_en": ""}, "내용을 입력"),
    ):
        answer = publish(admin, latest, **changes)
        assert answer.status_code == 422, changes
        assert said in answer.text, changes


def test_only_administrators_publish_and_everybody_may_read(as_role, latest):
    for role in ("cs", "finance", "auditor"):
        visitor = as_role(role)
        assert "새 버전 게시" not in visitor.get(f"{TERMS}price_change/").text
        assert publish(visitor, latest).status_code == 403


def test_the_words_are_shown_as_they_were_agreed_to_and_taken_back_on_request(cs, customer, owner):
    home = f"/console/customers/{customer}/consents/"
    page = cs.get(home).text
    assert "정기결제(자동결제) 이용 동의" in page
    assert "9,900원" in page
    assert "해시가 다릅니다" not in page
    own = "SELECT id FROM consents WHERE customer_id = %s"
    [(number,)] = owner.execute(own, [customer]).fetchall()
    assert cs.post(f"{home}{number}/withdraw", {"because": " "}).status_code == 422
    other = f"/console/customers/{customer - 1}/consents/"
    assert cs.post(f"{other}{number}/withdraw", {"because": "전화 요청"}).status_code == 404
    assert cs.post(f"{home}{number}/withdraw", {"because": "전화 요청"}).status_code == 302
    assert cs.post(f"{home}{number}/withdraw", {"because": "전화 요청"}).status_code == 409
    assert "전화 요청" in cs.get(home).text


def test_an_export_needs_a_reason_and_stands_in_the_log(cs, as_role, customer, owner):
    home = f"/console/customers/{customer}/consents/export"
    assert cs.post(home, {"because": "", "format": "csv"}).status_code == 422
    assert as_role("finance").post(home, {"because": "고객 요청"}).status_code == 403
    sheet = cs.post(home, {"because": "고객 요청", "format": "csv"})
    assert "attachment" in sheet.headers["Content-Disposition"]
    [row] = csv.DictReader(io.StringIO(sheet.data.decode("utf-8-sig")))
    told = json.loads(cs.post(home, {"because": "고객 요청", "format": "json"}).data)
    assert told[0]["text"] == row["text"]
    assert "9,900원" in row["text"]
    logged = owner.execute(
        "SELECT because FROM audit_entries WHERE action = 'customer.consents_exported'"
    ).fetchall()
    assert logged == [("고객 요청",)] * 2


def test_these_pages_ask_the_database_little(as_role, customer, statements):
    admin = as_role("admin")
    for path in (
        TERMS, f"{TERMS}privacy/", f"{TERMS}versions/1", f"/console/customers/{customer}/consents/",
    ):  # fmt: skip
        admin.get(path)
        statements.clear()
        assert admin.get(path).status_code == 200
        read = [each for each in statements if each.startswith("SELECT")]
        assert len(read) <= 6, (path, read)
