import pytest
from pydantic import ValidationError

from opsapp.settings import Settings, use

HOSTILE = {
    "half a character pair in the order id": rb'{"data": {"orderId": "\ud800"}}',
    "half a character pair in the type": rb'{"eventType": "\udfff"}',
    "half a character pair as a name": rb'{"\ud800": 1}',
    "a name twice": b'{"eventType": "A", "eventType": "B"}',
    "a name twice further down": b'{"data": {"orderId": "a", "orderId": "b"}}',
    "NUL, written": rb'{"eventType": "\u0000"}',
    "NUL": b'{"eventType": "\x00"}',
    "ever deeper lists": b"[" * 60_000,
    "ever deeper objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a number without end": b'{"a": ' + b"9" * 5_000 + b"}",
    "a list": b"[]",
    "not UTF-8": b'{"a": "\xff"}',
}


@pytest.fixture
def client(app):
    return app.test_client()


def post(client, body, *, caller="127.0.0.1", **headers):
    headers["tosspayments-webhook-transmission-id"] = "d-1"
    origin = {"REMOTE_ADDR": caller}
    return client.post("/webhooks/toss", data=body, headers=headers, environ_base=origin)


def stored(owner):
    return owner.execute("SELECT count(*) FROM gateway_events").fetchone()[0]


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_body_is_refused_and_leaves_no_row(client, owner, body):
    assert post(client, body).status_code == 400
    assert stored(owner) == 0


@pytest.mark.parametrize("size", [65 * 1024, 10 * 1024 * 1024])
def test_a_huge_body_is_refused_and_leaves_no_row(client, owner, size):
    assert post(client, b'{"a": "' + b"x" * size + b'"}').status_code == 413
    assert stored(owner) == 0


def test_a_whole_character_pair_is_text_like_any_other(client, owner):
    assert post(client, rb'{"data": {"orderId": "\ud83d\ude00"}}').status_code == 200
    assert stored(owner) == 1


@pytest.fixture
def toss_only(client, settings):
    use(settings.model_copy(update={"toss_webhook_sources": "13.124.18.147, 10.0.0.0/8"}))
    return client


@pytest.mark.parametrize(
    ("address", "status"), [("13.124.18.147", 200), ("10.1.2.3", 200), ("13.124.18.148", 403)]
)
def test_where_sources_are_named_nobody_else_is_heard(toss_only, owner, address, status):
    answer = post(toss_only, b"{}", caller=address)
    assert answer.status_code == status
    assert stored(owner) == (status == 200)


def test_a_header_makes_nobody_a_known_source(toss_only, owner):
    answer = post(toss_only, b"{}", **{"X-Forwarded-For": "13.124.18.147"})
    assert (answer.status_code, stored(owner)) == (403, 0)


def test_a_network_that_is_none_is_refused_at_start(settings):
    values = {name: value for name, value in settings if name != "toss_webhook_sources"}
    with pytest.raises(ValidationError, match="toss_webhook_sources"):
        Settings(**values, toss_webhook_sources="13.124.18.300")
