import re

import pytest
from sqlalchemy import select

from opsapp.channels import registry
from opsapp.console import notice_words, words
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.notifications import delivering, rules, sending
from opsapp.notifications.models import Notice
from opsapp.notifications.sending import NewNotice
from tests.notifications.conftest import Sent

LIST = "/console/notifications/"
TEXTS = f"{LIST}templates/payment_failed/email/"
BY = Actor("worker", "test")
EDITED = {
    "subject_ko": "[{{ shop }}] 결제 확인이 필요합니다",
    "text_ko": "{{ name }} 님, {{ amount_minor | money(currency) }}이 결제되지 않았습니다.",
    "subject_en": "[{{ shop }}] Please look at your payment",
    "text_en": "{{ name }}, {{ amount_minor | money(currency) }} was not paid.",
    "because": "상담 문의가 많아 문구 변경",
    "seen_version": "0",
}


@pytest.fixture
def mail(house):
    before, channel = registry.all_channels(), Sent()
    registry.connect([channel])
    yield channel
    registry.connect(before)


@pytest.fixture
def told(house, scene):
    """Two notices of one customer: one about a payment, one with an account to pay into."""
    values = {"amount_minor": 19_900, "currency": "KRW", "at": "2026-11-21T15:30:00+00:00"}
    wishes = [
        NewNotice("payment_failed", "payment", scene.paid, scene.customers[0], values),
        NewNotice("refund_made", "refund", scene.refund, scene.customers[0], values),
    ]
    with house.app_context(), transaction():
        assert sending.queue_notices(wishes, by=BY) == len(wishes)
        newest = select(Notice.id).order_by(Notice.id.desc()).limit(len(wishes))
        return sorted(db.session.scalars(newest))


def test_every_kind_of_notice_has_its_words_and_its_values_have_theirs():
    assert words.NOTICE_KIND.keys() == rules.KINDS.keys()
    named = {name for kind in rules.KINDS for name in rules.variables_of(kind)}
    assert notice_words.VARIABLE.keys() == named
    channels = {name for kind in rules.KINDS.values() for name in kind.order}
    assert words.CHANNEL.keys() == channels


def rows(page) -> int:
    return len(re.findall(r'<tr><th scope="row">', page.text))


def send(house, *ids: int) -> None:
    with house.app_context():
        delivering.send_notices(ids, by=BY)


def test_the_log_is_filtered_in_few_statements(house, cs, told, owner, statements):
    send(house, told[0])
    for query, condition in (
        ("", "true"), ("status=sent", "status = 'sent'"),
        ("kind=refund_made", "kind = 'refund_made'"),
        ("channel=email", "channel = 'email'"), ("channel=sms", "false"),
        ("customer=1&kind=payment_failed", "customer_id = 1 AND kind = 'payment_failed'"),
    ):  # fmt: skip
        [(count,)] = owner.execute(f"SELECT count(*) FROM notices WHERE {condition}")  # noqa: S608
        statements.clear()
        page = cs.get(f"{LIST}?{query}")
        assert rows(page) == count, query
        asked = [each for each in statements if each.startswith("SELECT")]
        assert len(asked) <= 6, asked
    assert cs.get(f"{LIST}?kind=nonsense").status_code == 422


def test_a_notice_is_shown_as_it_reads_with_its_tries_and_masked(house, cs, told, mail):
    waiting = cs.get(f"{LIST}{told[0]}").text
    assert "아직 발송을 시도하지 않았습니다" in waiting
    assert "다시 보내기" in waiting
    assert f"{told[0]}/again" not in waiting, "what is still on its way is not sent again"
    send(house, told[0])
    page = cs.get(f"{LIST}{told[0]}").text
    assert "구독 요금 19,900원을" in page
    assert "홍*동 님, 안녕하세요." in page
    assert "홍길동" not in page
    assert "채널 접수" in page
    assert cs.get(f"{LIST}9999").status_code == 404


def test_a_notice_is_sent_again_by_whoever_may_and_the_log_says_who(
    house, as_role, told, mail, owner
):
    send(house, told[0])
    path = f"{LIST}{told[0]}/again"
    for role in ("finance", "auditor"):
        assert as_role(role).post(path).status_code == 403
    cs = as_role("cs")
    assert cs.post(path).status_code == 302
    assert cs.post(path).status_code == 409, "it is on its way already"
    send(house, told[0])
    assert len(mail.messages) == 2
    [actor] = owner.execute(
        "SELECT actor FROM audit_entries WHERE subject_type = 'notice' AND from_state = 'sent' "
        "AND because = 'asked for again'"
    ).fetchone()
    assert actor.startswith("staff:")
    owner.execute("UPDATE notices SET is_called_back = true WHERE id = %s", [told[0]])
    assert "사실이 아닌" in (refused := cs.post(path)).text
    assert refused.status_code == 409, "what does not hold any more is told to nobody"


def test_a_text_is_edited_previewed_tested_used_and_put_back(house, as_role, told, mail, owner):
    admin = as_role("admin")
    assert admin.get(f"{LIST}templates/").text.count("기본 문구") >= 40
    shown = admin.post(f"{TEXTS}preview", EDITED).text
    assert "홍길동 님, 19,900원이 결제되지 않았습니다." in shown
    assert "Jane Doe, ₩19,900 was not paid." in shown
    tested = admin.post(f"{TEXTS}test", EDITED)
    assert "admin@example.com 주소로 시험 메일을 보냈습니다." in tested.text
    [message] = mail.messages
    assert message.recipient == "admin@example.com"
    assert "was not paid." in message.text
    assert owner.execute("SELECT count(*) FROM notice_templates").fetchone() == (0,)
    assert admin.post(TEXTS, EDITED).status_code == 302
    assert "버전 1" in admin.get(f"{LIST}templates/").text
    send(house, told[0])
    assert mail.messages[1].text == "홍길동 님, 19,900원이 결제되지 않았습니다.\n"
    back = {"because": "처음 문구가 더 낫습니다", "seen_version": "1"}
    assert admin.post(f"{TEXTS}shipped", back).status_code == 302
    admin.post(f"{LIST}{told[0]}/again")
    send(house, told[0])
    assert "등록하신 결제 수단으로 결제하지 못했습니다" in mail.messages[2].text
    assert admin.post(TEXTS, EDITED).status_code == 302
    assert "버전 2" in admin.get(TEXTS).text, "versions are added and never rewritten"
    done = "SELECT action FROM audit_entries WHERE subject_type = 'notice_template' ORDER BY id"
    assert [action for (action,) in owner.execute(done)] == [
        "notice_template.tested", "notice_template.changed", "notice_template.put_back",
        "notice_template.changed",
    ]  # fmt: skip


REFUSED = (
    ({"text_ko": "{{ amont_minor }}"}, "이 알림에는 amont_minor 값이 없습니다"),
    ({"text_en": "{{ bank }}"}, "이 알림에는 bank 값이 없습니다. 쓸 수 있는 값: name, shop"),
    ({"text_ko": "{{ at | upper }}"}, "쓸 수 있는 표시 방법: money, day, minute, moment"),
    ({"text_ko": "{% for x in name %}x{% endfor %}"}, "값과 조건 외의 명령"),
    ({"text_ko": "{{ name.__class__ }}"}, "값과 조건 외의 명령"),
    ({"text_ko": "{{ 'a' * 99999999 }}"}, "값과 조건 외의 명령"),
    ({"text_ko": "{{ name"}, "1번째 줄을 읽을 수 없습니다"),
    ({"subject_en": "{{ at | money(currency) }}"}, "예시 값으로 문구를 채울 수 없습니다"),
    ({"text_ko": "가" * 10_001}, "문구가 너무 깁니다: 10000 중 10001"),
    ({"text_en": " "}, "내용을"),
    ({"text_ko": "{% if at is none %}x{% endif %}"}, "두 언어 모두 입력하세요"),
    ({"seen_version": "x"}, ""),
)


def test_a_text_that_says_what_it_cannot_is_refused_and_not_lost(as_role, mail, owner):
    admin = as_role("admin")
    for changes, said in REFUSED:
        for path in (TEXTS, f"{TEXTS}preview", f"{TEXTS}test"):
            answer = admin.post(path, EDITED | changes)
            assert answer.status_code == 422, (path, changes)
            assert said in answer.text, (path, changes)
            assert EDITED["because"] in answer.text, "what was typed is not lost"
    assert admin.post(TEXTS, EDITED | {"because": ""}).status_code == 422
    assert owner.execute("SELECT count(*) FROM notice_templates").fetchone() == (0,)
    assert mail.messages == []


def test_short_texts_hold_what_telephones_can_show(as_role, owner):
    admin = as_role("admin")
    path = f"{LIST}templates/payment_failed/short/"
    refused = admin.post(path, EDITED | {"text_ko": "결제 실패 🙏"})
    assert "🙏 글자를 보낼 수 없습니다" in refused.text
    refused = admin.post(path, EDITED | {"text_en": "a" * 2001})
    assert "문구가 너무 깁니다: 2000 중 2002" in refused.text
    assert admin.post(path, EDITED | {"template_ref": "KA01TP1"}).status_code == 302
    assert owner.execute("SELECT template_ref FROM notice_templates").fetchone() == ("KA01TP1",)


def test_whoever_saw_an_older_text_is_told_and_only_administrators_edit(as_role, mail):
    admin = as_role("admin")
    admin.post(TEXTS, EDITED)
    late = admin.post(TEXTS, EDITED | {"text_ko": "다른 문구"})
    assert late.status_code == 409
    assert "지금은 버전 1입니다" in late.text
    same = admin.post(TEXTS, EDITED | {"seen_version": "1"})
    assert same.status_code == 422
    cs = as_role("cs")
    assert cs.post(TEXTS, EDITED).status_code == 403
    assert "새 버전으로 저장" not in cs.get(TEXTS).text
    assert cs.get(f"{LIST}templates/no_such/email/").status_code == 404
    assert cs.get(f"{LIST}templates/payment_failed/fax/").status_code == 404
