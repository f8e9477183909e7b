import re
from datetime import timedelta

import pytest
from psycopg.sql import SQL

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.notifications import delivering
from opsapp.tickets.opening import NewTicket, open_tickets

BY = Actor("worker", "tests")
SECRET = "3호실 김 과장님께 카드 교체를 부탁드립니다"


def row(owner, ticket_id, columns="status, assignee_id"):
    wanted = SQL("SELECT {} FROM tickets WHERE id = %s").format(SQL(columns))
    return owner.execute(wanted, (ticket_id,)).fetchone()


def request_id(page, action):
    form = page.split(f'action="{action}"', 1)[1].split("</form>", 1)[0]
    return re.search(r'name="request_id" value="([^"]+)"', form)[1]


def path(ticket_id, rest=""):
    return f"/console/tickets/{ticket_id}{rest}"


@pytest.fixture
def lead(as_role):
    return as_role("admin")


def test_a_ticket_is_taken_from_the_list_and_the_filter_is_kept(cs, scene, owner):
    answer = cs.post(path(scene.ticket, "/take"), {"next": "/console/tickets/?tab=open"})
    assert answer.location == "/console/tickets/?tab=open"
    status, assignee = row(owner, scene.ticket)
    assert status == "in_progress"
    assert assignee is not None


def test_the_second_person_to_take_a_ticket_is_told(as_role, scene):
    first, second = as_role("cs"), as_role("admin")
    first.post(path(scene.ticket, "/take"))
    answer = second.post(path(scene.ticket, "/take"))
    assert answer.status_code == 409
    assert "다른 담당자" in answer.text


def test_a_ticket_is_done_only_with_a_note_that_the_log_keeps(cs, scene, owner):
    empty = cs.post(path(scene.ticket, "/resolve"), {"note": "  "})
    assert empty.status_code == 422
    assert "처리 내용을 적어 주세요" in empty.text
    sent = {"note": "카드 교체 안내함", "resolution": "told"}
    assert cs.post(path(scene.ticket, "/resolve"), sent).status_code == 302
    assert row(owner, scene.ticket, "status, resolution") == ("resolved", "told")
    assert "카드 교체 안내함" in cs.get(path(scene.ticket)).text


def test_a_message_is_looked_at_first_and_then_goes_to_the_customer_once(
    cs, scene, owner, house, gateway
):
    page = cs.get(path(scene.ticket)).text
    sent = {
        "request_id": request_id(page, path(scene.ticket, "/messages/preview")),
        "text": SECRET,
        "then_wait": "yes",
    }
    looked = cs.post(path(scene.ticket, "/messages/preview"), sent)
    assert SECRET in looked.text
    assert "박*늘 님" in looked.text, "the customer's name is masked in the preview"
    assert owner.execute("SELECT count(*) FROM ticket_messages").fetchone() == (0,)
    for _ in range(2):
        assert cs.post(path(scene.ticket, "/messages"), sent).status_code == 302
    [(notice_id, values)] = owner.execute(
        "SELECT id, values::text FROM notices WHERE kind = 'ticket_message'"
    ).fetchall()
    [(sealed,)] = owner.execute("SELECT text_sealed FROM ticket_messages").fetchall()
    assert SECRET not in values
    assert SECRET.encode() not in sealed
    assert row(owner, scene.ticket)[0] == "waiting_customer"
    with house.app_context():
        delivering.send_notices([notice_id], by=BY)
    [(status,)] = owner.execute("SELECT status FROM notices WHERE id = %s", (notice_id,)).fetchall()
    assert status == "sent"
    page = cs.get(path(scene.ticket)).text
    assert SECRET in page
    assert "고객 발송" in page
    assert SECRET in cs.get(f"/console/notifications/{notice_id}").text


@pytest.mark.parametrize("text", ["", "{amount}을 확인해 주세요", "확인했습니다 🙂", "가" * 801])
def test_what_cannot_be_sent_is_refused_and_what_was_written_is_kept(cs, scene, owner, text):
    sent = {"request_id": "msg_" + "x" * 20, "text": text}
    answer = cs.post(path(scene.ticket, "/messages"), sent)
    assert answer.status_code == 422
    assert text[:40] in answer.text
    assert owner.execute("SELECT count(*) FROM ticket_messages").fetchone() == (0,)


def test_a_macro_begins_a_message_in_the_customers_language(cs, scene, owner):
    owner.execute("UPDATE customers SET locale = 'en' WHERE id = %s", (scene.customers[4],))
    [(macro_id,)] = owner.execute("SELECT id FROM ticket_macros WHERE name = '결제 실패 안내'")
    page = cs.get(path(scene.ticket, f"?macro={macro_id}")).text
    assert "Your payment of ₩9,900" in page


def test_a_note_never_leaves_the_house(cs, scene, owner):
    sent = {"request_id": "msg_" + "n" * 20, "text": SECRET}
    assert cs.post(path(scene.ticket, "/note"), sent).status_code == 302
    page = cs.get(path(scene.ticket)).text
    assert SECRET in page
    assert "내부 메모" in page
    told = "SELECT count(*) FROM notices WHERE kind = 'ticket_message'"
    assert owner.execute(told).fetchone() == (0,)
    logged = "SELECT count(*) FROM audit_entries e WHERE to_jsonb(e)::text LIKE '%%김 과장%%'"
    assert owner.execute(logged).fetchone() == (0,)


def test_a_ticket_is_handed_over_with_a_note_only_to_who_can_work_on_it(cs, scene, owner):
    people = dict(owner.execute("SELECT role, id FROM staff_accounts").fetchall())
    sent = {"request_id": "msg_" + "h" * 20, "text": "카드사 답을 기다립니다"}
    refused = cs.post(path(scene.ticket, "/hand_over"), sent | {"to": str(people["auditor"])})
    assert refused.status_code == 422
    assert (
        cs.post(path(scene.ticket, "/hand_over"), sent | {"to": str(people["admin"])}).status_code
        == 302
    )
    assert row(owner, scene.ticket) == ("open", people["admin"])
    assert "카드사 답을 기다립니다" in cs.get(path(scene.ticket)).text


def test_a_lead_merges_the_tickets_of_a_customer_and_what_was_written_moves(
    lead, cs, scene, owner, house
):
    with house.app_context(), transaction():
        wish = NewTicket(
            "subscription", scene.subscription, scene.customers[4], "method_unusable", "x"
        )
        [other] = open_tickets([wish], by=BY)
    cs.post(path(other, "/note"), {"request_id": "msg_" + "m" * 20, "text": "통화함"})
    assert cs.post(path(other, "/merge"), {"into": str(scene.ticket)}).status_code == 403
    answer = lead.post(path(other, "/merge"), {"into": str(scene.ticket)})
    assert answer.location.startswith(path(scene.ticket))
    assert row(owner, other, "status, merged_into_id") == ("resolved", scene.ticket)
    page = lead.get(path(scene.ticket)).text
    assert "통화함" in page
    assert f"#{other}에서 옮김" in page


def test_the_clock_stands_still_while_the_customer_is_waited_for(cs, scene, owner, house):
    [due_at] = row(owner, scene.ticket, "answer_due_at")
    assert cs.post(path(scene.ticket, "/wait")).status_code == 302
    with house.app_context(), transaction():
        clock.advance(timedelta(hours=30))
    assert path(scene.ticket) + '"' not in cs.get("/console/tickets/?overdue=yes").text
    assert "응답 기한 멈춤" in cs.get(path(scene.ticket)).text
    assert cs.post(path(scene.ticket, "/go_on")).status_code == 302
    [later] = row(owner, scene.ticket, "answer_due_at")
    assert timedelta(hours=30) <= later - due_at < timedelta(hours=30, minutes=5)


def test_what_was_put_off_is_out_of_the_way_until_that_morning(cs, scene, house):
    with house.app_context(), transaction():
        tomorrow = clock.seoul_date(clock.now() + timedelta(days=1)).isoformat()
    assert cs.post(path(scene.ticket, "/snooze"), {"until": "2020-01-01"}).status_code == 422
    assert cs.post(path(scene.ticket, "/snooze"), {"until": tomorrow}).status_code == 302
    mark = path(scene.ticket) + '"'
    assert mark not in cs.get("/console/tickets/").text
    assert mark in cs.get("/console/tickets/?tab=snoozed").text
    with house.app_context(), transaction():
        clock.advance(timedelta(days=1, hours=10))
    assert mark in cs.get("/console/tickets/").text


def test_a_settled_case_is_opened_again_unless_its_cause_has_come_again(cs, scene, owner, house):
    done = {"note": "카드 교체 안내함"}
    cs.post(path(scene.ticket, "/resolve"), done)
    again = {"because": "고객이 다시 문의함"}
    assert cs.post(path(scene.ticket, "/reopen"), again).status_code == 302
    assert row(owner, scene.ticket, "status, resolution") == ("open", None)
    cs.post(path(scene.ticket, "/resolve"), done)
    with house.app_context(), transaction():
        wish = NewTicket("subscription", scene.subscription, None, "repeated_failure", "x")
        assert open_tickets([wish], by=BY)
    assert cs.post(path(scene.ticket, "/reopen"), again).status_code == 409


def test_inbox_and_case_ask_the_database_few_times(cs, scene, statements):
    for address, most in (("/console/tickets/", 6), (path(scene.ticket), 16)):
        statements.clear()
        assert cs.get(address).status_code == 200
        # Whoever was away for a while is noted as seen: that is the sign-in's, not the page's.
        asked = [each for each in statements if "staff_sessions" not in each]
        assert len(asked) < most, "\n\n".join(asked)


def test_the_inbox_shows_what_its_counts_count(cs, lead, scene, owner, house):
    tabs = ("todo", "unassigned", "open", "in_progress", "waiting_customer", "snoozed", "resolved")
    cs.post(path(scene.ticket, "/take"))
    with house.app_context(), transaction():
        clock.advance(timedelta(hours=5))
    shown = {tab: cs.get(f"/console/tickets/?tab={tab}").text for tab in tabs}
    mark = path(scene.ticket) + '"'
    assert [tab for tab in tabs if mark in shown[tab]] == ["todo", "in_progress"]
    assert mark not in cs.get("/console/tickets/?overdue=yes").text, "it is due in a day"
    assert cs.get("/console/tickets/?tab=nonsense").status_code == 422
    page = lead.get("/console/tickets/workload").text
    assert cs.get("/console/tickets/workload").status_code == 403
    me = row(owner, scene.ticket)[1]
    assert f'/console/tickets/?assignee={me}">1</a>' in page


def test_many_are_taken_and_shared_out_at_once(cs, lead, scene, owner):
    ids = [r[0] for r in owner.execute("SELECT id FROM tickets ORDER BY id")]
    assert cs.post("/console/tickets/take", {"id": ids}).status_code == 302
    mine = {row(owner, each)[1] for each in ids}
    assert len(mine) == 1
    people = dict(owner.execute("SELECT role, id FROM staff_accounts").fetchall())
    to_admin = {"id": ids, "to": str(people["admin"])}
    assert cs.post("/console/tickets/assign", to_admin).status_code == 403
    assert lead.post("/console/tickets/assign", to_admin).status_code == 302
    assert {row(owner, each)[1] for each in ids} == {people["admin"]}


def test_leads_keep_the_macros(lead, cs, owner):
    address = "/console/settings/macros/"
    assert cs.get(address).status_code == 403
    sent = {"name": "배송 안내", "text_ko": "{amont} 안내", "text_en": "About {amount}"}
    refused = lead.post(address + "new", sent)
    assert refused.status_code == 422
    assert "amont" in refused.text
    assert lead.post(address + "new", sent | {"text_ko": "{amount} 안내"}).status_code == 302
    assert lead.post(address + "new", sent | {"text_ko": "{amount} 안내"}).status_code == 409
    assert "배송 안내" in lead.get(address).text
    [(macro_id,)] = owner.execute("SELECT id FROM ticket_macros WHERE name = '배송 안내'")
    assert lead.post(f"{address}{macro_id}/retire").status_code == 302
    [(is_active,)] = owner.execute("SELECT is_active FROM ticket_macros WHERE id = %s", [macro_id])
    assert not is_active
