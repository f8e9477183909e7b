"""Events and the addresses that they go to, as a program of the shop sees them."""

from datetime import timedelta

from opsapp.kernel import clock
from opsapp.kernel.db import transaction
from opsapp.shop_events import rules
from tests.factories import payments as paying
from tests.factories.shop_events import gather, say


def test_events_are_listed_by_type_and_object_without_personal_data(program):
    [payment_id] = paying.make_payments(1)
    say([payment_id], "paid", "refunded")
    gather()
    listed = program.get("/events").json["data"]
    assert [each["type"] for each in listed][:2] == ["payment.refunded", "payment.paid"]
    paid = program.get("/events", type="payment.paid").json["data"]
    assert [each["data"]["status"] for each in paid] == ["paid"]
    about = program.get("/events", object_type="payment", object_id=paid[0]["object_id"]).json
    assert len(about["data"]) == 2
    assert program.get(f"/events/{paid[0]['id']}").json == paid[0]
    assert program.get("/events/evt_nothing").status_code == 404
    first = program.get("/events", limit=1).json
    rest = program.get("/events", cursor=first["next_cursor"]).json
    assert first["data"] + rest["data"] == listed


def test_every_type_is_documented(program):
    told = program.get("/event-types").json["data"]
    assert {each["name"] for each in told} == set(rules.TYPES)
    assert all(each["meaning"] for each in told)


def test_an_address_lives_through_the_api(program):
    made = program.post("/webhook-endpoints", {"url": "https://shop.example.com/hooks"})
    assert made.status_code == 201
    secret, ref = made.json["secret"], made.json["id"]
    again = program.post(f"/webhook-endpoints/{ref}/secret", {})
    assert again.json["secret"] != secret
    assert "secret" not in program.get(f"/webhook-endpoints/{ref}").json
    program.post(f"/webhook-endpoints/{ref}/test", {})
    [sent] = program.get(f"/webhook-endpoints/{ref}/deliveries").json["data"]
    assert (sent["type"], sent["status"]) == ("endpoint.test", "pending")
    assert program.post(f"/webhook-endpoints/{ref}/disable", {}).json["status"] == "disabled"
    assert program.post(f"/webhook-endpoints/{ref}/test", {}).status_code == 409
    assert program.post(f"/webhook-endpoints/{ref}/enable", {}).json["status"] == "enabled"
    with transaction():
        since = {"since": (clock.now() - timedelta(hours=1)).isoformat()}
    assert program.post(f"/webhook-endpoints/{ref}/replay", since).json == {"count": 1}
    refused = program.post("/webhook-endpoints", {"url": "https://10.0.0.1/hooks"})
    assert (refused.status_code, refused.json["field"]) == (409, "url")
