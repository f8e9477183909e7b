from collections import defaultdict
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from aiohttp import web
from sqlalchemy import func, select, update

from opsapp.channels.shop_webhooks import ShopWebhooks
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.shop_events import delivering, disabling, queries, registering, replaying, rules
from opsapp.shop_events.errors import EndpointIsDisabled, StillUnderWay
from opsapp.shop_events.models import ShopDelivery
from opsapp.tickets.models import Ticket
from tests.factories import payments as paying
from tests.factories.shop_events import (
    BY,
    add_endpoint,
    deliver,
    deliveries,
    gather,
    say,
    wait_for_next_try,
)
from tests.fakes.shop import Shop
from tests.waiting import until
from tests.workers.conftest import start as start


def statuses() -> list[str]:
    return [row.status for row in deliveries()]


def count_delivered() -> int:
    with transaction():
        taken = select(func.count()).where(ShopDelivery.status == "delivered")
        return db.session.scalars(taken).one()


def endpoint(endpoint_id: int):
    with transaction():
        found = queries.get_endpoint(endpoint_id)
        db.session.refresh(found)
        db.session.expunge(found)
        return found


def told(receiver: Shop, count: int = 1, *actions: str) -> list[int]:
    """An address, and what was said of so many payments since."""
    add_endpoint(receiver.url, "payment.paid", "payment.failed", "payment.refunded")
    ids = paying.make_payments(count)
    say(ids, *(actions or ("paid",)))
    gather()
    return ids


def test_an_event_is_taken_once_and_says_nothing_of_a_person(app, receiver):
    told(receiver)
    deliver()
    deliver()
    [taken] = receiver.heard
    assert statuses() == ["delivered"]
    assert taken.event["data"]["amount"] == 9900
    assert taken.headers["content-type"] == "application/json"
    for private in ("김래원", "example.com", "010-"):
        assert private not in taken.body.decode()


def test_what_was_refused_is_sent_again_under_the_same_id_up_the_ladder(app, receiver):
    receiver.refuse(503)
    told(receiver)
    deliver()
    waits = []
    while deliveries()[0].status == "pending":
        [row] = deliveries()
        waits.append(row.turns)
        wait_for_next_try()
        deliver()
    assert [waits[0], waits[-1]] == [1, len(rules.WAITS)]
    assert len(receiver.heard) == len(rules.WAITS) + 1
    assert len({taken.ref for taken in receiver.heard}) == 1
    assert len({taken.body for taken in receiver.heard}) == 1
    assert (statuses(), deliveries()[0].error) == (["given_up"], "HTTP 503")


def test_the_waits_are_those_of_the_ladder_and_make_three_days():
    assert sum(rules.WAITS, timedelta()) == timedelta(days=3, hours=3, minutes=35, seconds=5)
    assert rules.wait_after(1) == timedelta(seconds=5)
    assert rules.wait_after(10) is None


def test_a_later_event_of_an_object_waits_for_the_earlier_one_and_others_do_not(app, receiver):
    told(receiver, 2, "failed", "paid")
    refused = []

    def answer(taken):
        is_first = not refused or taken.ref == refused[0]
        if is_first:
            refused.append(taken.ref)
        return web.Response(status=500 if is_first else 204)

    receiver.answer = answer
    deliver()
    assert sorted(receiver.types) == ["payment.failed", "payment.failed", "payment.paid"]
    assert sorted(statuses()) == ["delivered", "delivered", "pending", "waiting"]
    receiver.agree()
    wait_for_next_try()
    deliver()
    assert receiver.types[-2:] == ["payment.failed", "payment.paid"]
    assert set(statuses()) == {"delivered"}


def test_an_address_that_wants_no_more_is_disabled_with_a_case_for_staff(app, receiver):
    receiver.refuse(410)
    ids = told(receiver, 1, "failed", "paid")
    deliver()
    [row] = queries.list_disabled()
    assert row.disabled_because == "it answered that it wants no more"
    assert statuses() == ["given_up", "given_up"]
    with transaction():
        [ticket] = db.session.query(Ticket).filter_by(reason="webhook_disabled").all()
        assert ticket.status == "open"
    say(ids, "refunded")
    gather()
    assert len(deliveries()) == 2, "nothing is sent to a disabled address"


def test_an_address_without_one_good_answer_for_three_days_is_disabled(app, receiver):
    receiver.refuse(500)
    told(receiver, 2)
    deliver()
    [row] = queries.list_endpoints()
    since = row.failing_since
    assert since is not None
    with transaction():
        clock.advance(timedelta(days=2, hours=23))
    deliver()
    assert endpoint(row.id).status == "enabled"
    with transaction():
        clock.advance(timedelta(days=1))
    deliver()
    assert endpoint(row.id).status == "disabled"


def test_one_good_answer_begins_the_count_anew(app, receiver):
    receiver.refuse(500)
    told(receiver)
    deliver()
    receiver.agree()
    wait_for_next_try()
    deliver()
    [row] = queries.list_endpoints()
    assert endpoint(row.id).failing_since is None


def test_what_was_missed_while_an_address_was_disabled_is_sent_on_request(app, receiver):
    receiver.refuse(410)
    ids = told(receiver, 1, "failed")
    deliver()
    [given_up] = deliveries()
    say(ids, "paid", "refunded")
    gather()
    receiver.agree()
    with pytest.raises(EndpointIsDisabled), transaction():
        replaying.replay(given_up.id, by=BY)
    receiver.heard.clear()
    with transaction():
        since = disabling.enable(given_up.endpoint_id, by=BY) - timedelta(days=1)
        assert replaying.replay_missed(given_up.endpoint_id, since, by=BY) == 3
    deliver()
    assert receiver.types == ["payment.failed", "payment.paid", "payment.refunded"]
    with transaction():
        assert replaying.replay_missed(given_up.endpoint_id, since, by=BY) == 0
        with pytest.raises(Invalid):
            replaying.replay_missed(given_up.endpoint_id, since - timedelta(days=31), by=BY)


def test_a_person_sends_one_again_and_the_id_is_the_same(app, receiver):
    told(receiver)
    [sending] = deliveries()
    with pytest.raises(StillUnderWay), transaction():
        replaying.replay(sending.id, by=BY)
    deliver()
    with transaction():
        replaying.replay(sending.id, by=BY)
    deliver()
    first, second = receiver.heard
    assert first.ref == second.ref
    assert statuses() == ["delivered"]


def test_a_trial_reaches_only_the_address_that_it_is_meant_for(app, receiver):
    endpoint_id, _ = add_endpoint(receiver.url, "payment.paid")
    add_endpoint(f"{receiver.origin}/others")
    with transaction():
        replaying.send_trial(endpoint_id, by=BY)
    deliver()
    gather()
    deliver()
    assert receiver.types == ["endpoint.test"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _t: web.Response(status=302, headers={"Location": "/other"}), "HTTP 302"),
        (lambda _t: web.Response(status=200, body=b"x" * 3_000_000), None),
        (
            lambda _t: web.Response(status=200, headers={"Content-Encoding": "gzip"}, body=b"?"),
            None,
        ),
        (
            lambda _t: web.Response(
                status=404, text="ask a@example.com, 4111 1111 1111 1111, key ops_Ab-1_9"
            ),
            "HTTP 404",
        ),
    ],
    ids=["redirecting", "huge", "not what it says", "telling"],
)
def test_odd_answers_are_answers_and_little_of_them_is_kept(app, receiver, answer, said):
    receiver.answer = answer
    told(receiver)
    deliver()
    [row] = deliveries()
    assert row.error == said
    assert len(row.answer or "") <= rules.ANSWER_LENGTH_MAX
    assert "4111" not in row.answer
    assert "example.com" not in row.answer
    assert "ops_Ab" not in row.answer
    assert len(receiver.heard) == 1, "no redirect is followed"


def test_one_address_that_hangs_holds_up_no_other(app, receiver, monkeypatch):
    impatient = partial(ShopWebhooks, trusted_origins=[receiver.origin], timeout_s=1)
    monkeypatch.setattr(delivering, "client_of_settings", impatient)
    ids = paying.make_payments(40)
    hung, _ = add_endpoint(f"{receiver.origin}/hangs", "payment.paid")
    add_endpoint(receiver.url, "payment.paid")
    say(ids, "paid")
    gather()
    receiver.hangs = "/hangs"
    for least in (20, 40):  # what its own address has no place for just then comes next time
        delivering.deliver_events([row.id for row in deliveries()], by=BY)
        assert statuses().count("delivered") >= least
        assert max(receiver.abreast_by_path.values()) <= rules.ABREAST + rules.PROBES
        wait_for_next_try()
    held = [row for row in deliveries() if row.endpoint_id == hung]
    assert {row.error for row in held if row.turns} == {"TimeoutError"}


def test_an_answer_under_an_old_fence_is_discarded(app, receiver):
    """Another worker took the row over while the shop was answering the first one."""

    def answer(_taken):
        receiver.agree()
        with psycopg.connect(app.config["SQLALCHEMY_DATABASE_URI"], autocommit=True) as other:
            other.execute("UPDATE shop_deliveries SET fence = fence + 1")
        return web.Response(status=500)

    told(receiver)
    receiver.answer = answer
    delivering.deliver_events([row.id for row in deliveries()], by=BY)
    [row] = deliveries()
    assert (row.status, row.answer_status, row.turns) == ("sending", None, 1)


def test_both_secrets_are_signed_with_for_a_day(app, receiver):
    endpoint_id, _ = add_endpoint(receiver.url)
    with transaction():
        registering.renew_secret(endpoint_id, by=BY)
        registering.renew_secret(endpoint_id, by=BY)
    for expected in (2, 1):
        with transaction():
            replaying.send_trial(endpoint_id, by=BY)
        deliver()
        assert len(receiver.heard[-1].headers["webhook-signature"].split()) == expected
        with transaction():
            clock.advance(timedelta(hours=25))


def test_a_thousand_events_arrive_in_order_of_each_object_though_the_worker_is_killed(
    app, receiver, start, redis
):
    """Only what the dead worker had in hand may come twice, and nothing is lost."""
    told(receiver, 200, "failed", "paid", "refunded", "failed", "paid")
    variables = {
        "OPSAPP_REHINT_AFTER_S": "1",
        "OPSAPP_WEBHOOKS_TRUSTED_ORIGINS": receiver.origin,
        "OPSAPP_CHUNK_SIZE": "200",
    }
    start("relay", **variables)
    worker = start("webhooks_out", **variables)
    until(lambda: len(receiver.heard) > 100)
    worker.kill()
    worker.wait(10)
    with transaction():
        db.session.execute(update(ShopDelivery).values(leased_until=None))
    start("webhooks_out", **variables)
    until(lambda: count_delivered() == 1000, limit_s=150)
    by_object = defaultdict(list)
    for taken in receiver.heard:
        seen = by_object[taken.event["data"]["id"]]
        if not seen or seen[-1] != taken.ref:
            seen.append(taken.ref)
    assert {len(refs) for refs in by_object.values()} == {5}
    assert len(receiver.heard) <= 1000 + rules.ABREAST
