"""Ways that a program, or who got hold of its key, tried and that must stay closed."""

from urllib.parse import quote

from opsapp.programs.rules import Scope
from tests.api.shop import CUSTOMER, PLAN, furnish
from tests.api.test_access import ask, customer, routes_of
from tests.api.test_idempotency import line

# What a shop's clerk may have typed into the wrong place.
PERSONAL = ("홍길동", "kim_01012345678", "hong_gildong")


def test_a_reference_that_no_column_can_hold_is_that_of_nothing(app, program):
    routes = [route for route in routes_of(app) if route[3]]
    for ref in ("\x00", "a\x00b", "\ufffd", "a\r\nX: 1", "' OR 1=1 --", "a" * 3000):
        for method, address, operation, _ in routes:
            answer = ask(program, method, address.replace("absent-1", quote(ref)), program.secret)
            assert 400 <= answer.status_code < 500, (operation.name, ref[:20])
            assert answer.mimetype == "application/problem+json"


def test_a_field_that_nobody_knows_is_refused_and_its_name_not_repeated(program):
    order = {"id": "O-1", "customer": "C-1", "title": "t", "lines": [line()]}
    for name in PERSONAL:
        for path, body in (
            ("/customers", customer() | {name: 1}),
            ("/orders", order | {"lines": [line() | {name: 1}]}),
        ):
            answer = program.post(path, body)
            assert (answer.status_code, answer.json["code"]) == (422, "invalid")
            assert answer.json["errors"][-1]["code"] == "extra_forbidden"
            assert name not in answer.json["errors"][-1]["field"] + answer.json["field"]
    assert PERSONAL[1] not in program.get("/orders", **{PERSONAL[1]: "1"}).text


def test_what_is_missing_is_named_though_its_name_was_sent(program):
    order = {"id": "O-1", "customer": "C-9", "title": "t", "lines": [line()]}
    assert program.post("/orders", order).json["detail"] == "There is no such customer."


def test_a_key_reads_no_more_by_expanding_than_at_the_objects_own_address(app, program_with):
    payment = furnish().payment
    few = program_with(Scope.PAYMENTS_READ)
    for path in (f"/payments/{payment}", "/payments"):
        assert few.get(path, expand="attempts").status_code == 200
        refused = few.get(path, expand="attempts,refunds")
        assert (refused.status_code, refused.json["code"]) == (403, "scope_missing")
        both = program_with(Scope.PAYMENTS_READ, Scope.REFUNDS_READ)
        assert both.get(path, expand="refunds").status_code == 200


def test_nobody_is_subscribed_who_is_not_said_to_have_agreed(app, program):
    method = furnish().method
    body = {"customer": CUSTOMER, "plan": PLAN, "payment_method": method}
    for consents in ({}, {"consents": []}, {"consents": ["marketing"]}):
        refused = program.post("/subscriptions", body | consents)
        assert refused.status_code == 422
        assert refused.json["field"].startswith("body.consents")
    agreed = program.post("/subscriptions", body | {"consents": ["recurring_payment"]})
    assert agreed.status_code == 201


def test_no_foreign_host_name_stands_in_an_address_that_we_lead_to(app):
    browser = app.test_client()
    for path in ("/api//v1/orders", "/my", "/my//orders/", "//evil.example/my", "/console//jobs"):
        answer = browser.get(path, base_url="http://evil.example")
        assert (answer.status_code, answer.location[:1]) == (308, "/"), path
        assert not answer.location.startswith("//")
        assert "http://" not in answer.location + answer.text
