import re

import pytest

from opsapp.failures import loading, noting
from opsapp.kernel.db import transaction
from tests.factories.payments import attempt_ids, make_payments

LIST = "/console/settings/failure-codes/"
WORDS = {
    "hint_ko": "카드사에서 거절했습니다.",
    "hint_en": "The issuer refused.",
    "script_ko": "카드사에 문의하도록 안내하세요.",
    "script_en": "Refer to the issuer.",
}


@pytest.fixture(autouse=True)
def own_dictionary():
    loading.forget()
    yield
    loading.forget()


def id_of(owner, code: str) -> int:
    found = "SELECT id FROM failure_codes WHERE code = %s AND is_current"
    return owner.execute(found, [code]).fetchone()[0]


def form(subclass: str, *, seen: int = 1, **more: str) -> dict[str, str]:
    because = "결제사 문서에서 확인"
    return WORDS | {"subclass": subclass, "seen_version": str(seen), "because": because} | more


def test_the_table_is_searched_filtered_and_paged(cs):
    page = cs.get(LIST)
    assert len(re.findall(r'<tr><th scope="row">', page.text)) == 30
    assert 'rel="next"' in page.text
    found = cs.get(f"{LIST}?q=reject_card_payment")
    assert len(re.findall(r'<tr><th scope="row">', found.text)) == 1
    assert "한도 초과 또는 잔액 부족" in found.text
    for query, count in (
        ("source=transport", 9), ("class=customer_cancelled", 4), ("retry_mode=same_request", 7),
        ("changed=yes", 0), ("q=%25", 0),
    ):  # fmt: skip
        rows = re.findall(r'<tr><th scope="row">', cs.get(f"{LIST}?{query}").text)
        assert len(rows) == count, query


def test_a_filter_that_does_not_exist_is_named(cs):
    assert cs.get(f"{LIST}?class=nonsense").status_code == 422
    assert cs.get(f"{LIST}?cursor=damaged").status_code == 400


def test_an_administrator_changes_a_code_and_everybody_sees_both_versions(as_role, owner):
    admin = as_role("admin")
    old = id_of(owner, "REJECT_CARD_COMPANY")
    answer = admin.post(f"{LIST}{old}", form("issuer_refused_final"))
    assert answer.status_code == 302
    page = as_role("cs").get(answer.location).text
    assert "카드사·은행 최종 거절" in page
    assert "결제사 문서에서 확인" in page
    assert "<del>" in page
    assert "새 버전으로 저장" not in page, "who may not edit sees no form"
    assert admin.get(f"{LIST}{old}").text.count("버전 2") >= 1, "an old address shows the same code"
    assert "1</td>" not in admin.get(f"{LIST}?changed=yes").text


def test_the_dangerous_direction_asks_for_the_code_and_is_marked(as_role, owner):
    admin = as_role("admin")
    old = id_of(owner, "PROVIDER_ERROR")
    refused = admin.post(f"{LIST}{old}", form("issuer_refused"))
    assert refused.status_code == 422
    assert "코드를 정확히 입력하세요" in refused.text
    assert WORDS["hint_ko"] in refused.text, "what was typed is not lost"
    done = admin.post(f"{LIST}{old}", form("issuer_refused", typed_code="PROVIDER_ERROR"))
    assert "‘청구되지 않음’으로 확정" in admin.get(done.location).text
    log = "SELECT count(*) FROM audit_entries WHERE action = 'failure_code.declared_not_charged'"
    assert owner.execute(log).fetchone() == (1,)
    assert "failure_code.declared_not_charged" in admin.get("/console/audit/").text


def test_a_form_of_an_older_version_is_refused(as_role, owner):
    admin = as_role("admin")
    old = id_of(owner, "REJECT_CARD_COMPANY")
    admin.post(f"{LIST}{old}", form("over_limit"))
    late = admin.post(f"{LIST}{old}", form("insufficient_funds"))
    assert late.status_code == 409
    assert "버전 2" in late.text


def test_a_form_that_is_not_filled_in_is_pointed_at(as_role, owner):
    admin, code_id = as_role("admin"), id_of(owner, "REJECT_CARD_COMPANY")
    for wrong in (
        {"because": ""}, {"hint_ko": ""}, {"seen_version": "x"}, {"subclass": "nonsense"},
    ):  # fmt: skip
        answer = admin.post(f"{LIST}{code_id}", form("over_limit") | wrong)
        assert answer.status_code == 422, wrong
    assert owner.execute("SELECT max(version) FROM failure_codes").fetchone() == (1,)


def test_only_administrators_change_codes(as_role, owner):
    for role in ("cs", "finance", "auditor"):
        path = f"{LIST}{id_of(owner, 'REJECT_CARD_COMPANY')}"
        assert as_role(role).post(path, form("over_limit")).status_code == 403


def test_an_unknown_code_waits_on_the_page_until_somebody_adds_it(house, as_role, owner):
    admin = as_role("admin")
    with house.app_context(), transaction():
        noting.note_unmapped([("toss_api", "BRAND_<NEW>", 7)])
    page = admin.get(LIST).text
    assert "BRAND_&lt;NEW&gt;" in page
    address = re.search(rf'href="({LIST}review/\d+)"', page)[1]
    ticket = admin.get("/console/tickets/1").text
    assert address in ticket
    assert "알 수 없는 실패 코드" in ticket
    assert admin.get(address).status_code == 200
    refused = admin.post(address, form("over_limit"))
    assert refused.status_code == 422
    added = admin.post(address, form("over_limit", typed_code="BRAND_<NEW>"))
    assert admin.get(added.location).status_code == 200
    assert "결제사가 보낸 코드를 모두 알고 있습니다" in admin.get(LIST).text
    assert admin.get(address).location == added.location
    assert owner.execute("SELECT status FROM tickets").fetchone() == ("resolved",)


def test_the_page_tells_how_much_is_known_of_what_failed(house, as_role, scene, owner):
    assert "실패 1건 중 100.0% 파악" in as_role("cs").get(LIST).text
    with house.app_context():
        ids = attempt_ids(make_payments())
    owner.execute(
        "UPDATE attempts SET status = 'declined', ended_at = ops_now(), failure_code = 'NEW' "
        "WHERE id = %s",
        [ids[0]],
    )
    with house.app_context(), transaction():
        noting.note_unmapped([("toss_api", "NEW", ids[0])])
    assert "실패 2건 중 50.0% 파악" in as_role("cs").get(LIST).text
    metrics = house.test_client().get("/metrics").text
    assert 'opsapp_failures_with_code{gateway="toss"} 2\n' in metrics
    assert 'opsapp_failures_with_known_code{gateway="toss"} 1\n' in metrics


def test_a_failed_payment_and_its_ticket_tell_the_agent_what_to_say(cs, scene):
    for path in (f"/console/payments/{scene.failed}", f"/console/tickets/{scene.ticket}"):
        page = cs.get(path).text
        assert "상담 안내" in page
        assert "귀책: 고객" in page
        assert "한도를 넘었거나 잔액이 부족해 결제되지 않았습니다." in page
    cs.post("/console/preferences/", {"locale": "en"})
    assert "Whose doing: The customer" in cs.get(f"/console/payments/{scene.failed}").text


def test_the_words_of_a_change_are_on_the_next_page(as_role, owner, scene):
    admin = as_role("admin")
    path = f"/console/payments/{scene.failed}"
    assert WORDS["hint_ko"] not in admin.get(path).text
    admin.post(f"{LIST}{id_of(owner, 'REJECT_CARD_PAYMENT')}", form("over_limit"))
    page = admin.get(path).text
    assert WORDS["hint_ko"] in page
    assert WORDS["script_ko"] in page
