"""Gateways on the screen: how they are, what staff may do about it, and what machines read."""

import pytest

from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.routing.tallying import tally

PAGE = "/console/settings/gateways/"
BAD = Answer(Outcome.UNKNOWN, code="READ_TIMEOUT", failure_class=FailureClass.GATEWAY)


@pytest.fixture
def outage(house):
    with house.app_context(), transaction():
        answers = [("toss", f"attempt {n}", BAD) for n in range(12)]
        tally(answers, by=Actor("worker", "test"))


def circuit(owner):
    return owner.execute("SELECT status, because, changed_by FROM gateway_circuits").fetchone()


def test_the_page_tells_state_reason_and_promises(as_role, outage):
    page = as_role("auditor").get(PAGE).text
    assert "장애로 대기 중" in page
    assert "호출 대부분이 실패했거나 느렸음" in page
    assert "호출 12건, 실패 12건, 지연 0건" in page
    assert "다음 시험 호출" in page
    assert "<form" not in page[page.index('id="main"') : page.index("</main>")]


def test_an_outage_stands_at_home_on_the_jobs_page_and_in_the_metrics(cs, anybody, outage):
    assert "장애로 대기 중" in cs.get("/console/jobs/").text
    assert "장애로 대기 중" in cs.get("/console/").text
    lines = anybody.get("/metrics").text.splitlines()
    assert 'opsapp_gateway_circuit{gateway="toss",state="open"} 1' in lines
    assert 'opsapp_gateway_circuit{gateway="toss",state="closed"} 0' in lines
    assert 'opsapp_gateway_window_calls{gateway="toss"} 12' in lines
    assert 'opsapp_gateway_window_failures{gateway="toss"} 12' in lines


def test_a_healthy_gateway_is_closed_in_the_metrics(anybody):
    text = anybody.get("/metrics").text
    assert 'opsapp_gateway_circuit{gateway="toss",state="closed"} 1' in text
    assert 'opsapp_redis_jobs{queue="charges_bulk.toss"} 0' in text


def test_an_admin_stops_a_gateway_with_a_reason_and_lets_it_go_on(as_role, owner):
    admin = as_role("admin")
    assert admin.post(f"{PAGE}toss/pause", {"because": "점검 공지"}).status_code == 302
    assert circuit(owner)[:2] == ("paused", "점검 공지")
    page = admin.get(PAGE).text
    assert "중지됨" in page
    assert "점검 공지" in page
    assert admin.post(f"{PAGE}toss/resume", {"because": "점검 종료"}).status_code == 302
    assert circuit(owner)[0] == "probing"
    [(count,)] = owner.execute(
        "SELECT count(*) FROM audit_entries WHERE subject_type = 'gateway_circuit' "
        "AND actor LIKE 'staff:%'"
    ).fetchall()
    assert count == 2


def test_without_a_reason_nothing_is_stopped(as_role, owner):
    answer = as_role("admin").post(f"{PAGE}toss/pause", {"because": " "})
    assert answer.status_code == 422
    assert "사유를 200자 이내로 적으세요." in answer.text
    assert circuit(owner) is None


def test_two_admins_do_not_undo_each_other(as_role, owner, outage):
    admin = as_role("admin")
    admin.post(f"{PAGE}toss/try_now", {"because": "복구 확인"})
    again = admin.post(f"{PAGE}toss/try_now", {"because": "복구 확인"})
    assert again.status_code == 409
    assert "그사이 결제사 상태가 바뀌었습니다." in again.text


def test_an_admin_arranges_routes(as_role, owner):
    admin = as_role("admin")
    form = {"method_kind": "card", "gateway_name": "toss", "currency": "KRW"}
    for ends in ({"amount_from": "50,000원"}, {"amount_to": "49,999"}):
        assert admin.post(f"{PAGE}routes", form | ends).status_code == 302
    stored = "SELECT id, amount_from_minor, amount_to_minor, is_active FROM gateway_routes"
    (first, *_), (second, *_) = rows = owner.execute(f"{stored} ORDER BY position").fetchall()
    assert [row[1:] for row in rows] == [(50_000, None, True), (0, 49_999, True)]
    admin.post(f"{PAGE}routes/{second}/move_up")
    admin.post(f"{PAGE}routes/{first}/deactivate")
    rows = owner.execute(f"{stored} ORDER BY position").fetchall()
    assert [(row[0], row[3]) for row in rows] == [(second, True), (first, False)]
    assert "사용 안 함" in admin.get(PAGE).text


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"currency": "won"}, "통화를 입력하세요. 예: KRW"),
        ({"currency": "USD"}, "이 결제사는 해당 통화를 받지 않습니다."),
        ({"amount_from": "ten"}, "금액"),
        ({"amount_from": "10", "amount_to": "9"}, "상한이 하한보다 작습니다."),
        ({"gateway_name": "stripe"}, "이 시스템에 연결된 결제사를 선택하세요."),
    ],
)
def test_a_senseless_route_is_refused_at_its_field(as_role, owner, wrong, told):
    form = {"method_kind": "card", "gateway_name": "toss", "currency": "KRW"} | wrong
    answer = as_role("admin").post(f"{PAGE}routes", form)
    assert answer.status_code == 422
    assert told in answer.text
    assert owner.execute("SELECT count(*) FROM gateway_routes").fetchone() == (0,)
