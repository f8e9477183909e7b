def row(owner, ticket_id):
    return owner.execute(
        "SELECT status, assignee_id FROM tickets WHERE id = %s", (ticket_id,)
    ).fetchone()


def test_a_ticket_is_taken_from_the_list_and_the_filter_is_kept(cs, scene, owner):
    answer = cs.post(
        f"/console/tickets/{scene.ticket}/take", {"next": "/console/tickets/?tab=open"}
    )
    assert answer.location == "/console/tickets/?tab=open"
    status, assignee = row(owner, scene.ticket)
    assert status == "in_progress"
    assert assignee is not None


def test_the_second_person_to_take_a_ticket_is_told(as_role, scene):
    first, second = as_role("cs"), as_role("admin")
    first.post(f"/console/tickets/{scene.ticket}/take")
    answer = second.post(f"/console/tickets/{scene.ticket}/take")
    assert answer.status_code == 409
    assert "다른 담당자" in answer.text


def test_a_ticket_is_done_only_with_a_note_that_the_log_keeps(cs, scene, owner):
    path = f"/console/tickets/{scene.ticket}/resolve"
    empty = cs.post(path, {"note": "  "})
    assert empty.status_code == 422
    assert "처리 내용을 적어 주세요" in empty.text
    assert cs.post(path, {"note": "카드 교체 안내함"}).status_code == 302
    assert row(owner, scene.ticket)[0] == "resolved"
    assert "카드 교체 안내함" in cs.get(f"/console/tickets/{scene.ticket}").text
