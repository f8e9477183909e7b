"""What we sign is checked by the reference library of Standard Webhooks; where we call, by us."""

import socket
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.abc import AbstractResolver
from standardwebhooks import Webhook, WebhookVerificationError

from opsapp.channels import shop_webhooks
from opsapp.channels.shop_webhooks import NOT_OF_THE_INTERNET, Letter, ShopWebhooks
from opsapp.kernel.turns import ask
from opsapp.shop_events import rules
from tests.fakes.shop import Shop, shop

SECRETS = (b"n" * 32, b"o" * 24)
BODY = shop_webhooks.as_body({"type": "payment.paid", "data": {"제목": "구독"}, "timestamp": "…"})


def send(client: ShopWebhooks, url: str, body: bytes = BODY) -> shop_webhooks.Answer:
    letter = Letter(url, "evt_1", body, SECRETS)
    return ask(lambda: client.send(letter), connected=client.connected)


def heard(receiver: Shop) -> tuple[bytes, dict[str, str]]:
    send(ShopWebhooks(trusted_origins=[receiver.origin]), receiver.url)
    [taken] = receiver.heard
    return taken.body, taken.headers


def test_the_reference_library_takes_it_with_either_secret_while_both_are_valid():
    with shop() as receiver:
        body, headers = heard(receiver)
    for secret in SECRETS:
        told = Webhook(rules.write_secret(secret)).verify(body, headers)
        assert told["data"] == {"제목": "구독"}


@pytest.mark.parametrize("what", ["body", "id", "timestamp", "secret", "old"])
def test_the_reference_library_refuses_it_when_anything_is_changed(what):
    with shop() as receiver:
        body, headers = heard(receiver)
    secret = b"other" * 8 if what == "secret" else SECRETS[0]
    if what == "body":
        body += b" "
    if what == "old":
        then = datetime.now(UTC) - timedelta(minutes=6)
        headers["webhook-timestamp"] = str(int(then.timestamp()))
        headers["webhook-signature"] = shop_webhooks.sign("evt_1", then, body, SECRETS)
    if what in ("id", "timestamp"):
        headers[f"webhook-{what}"] = headers[f"webhook-{what}"][:-1] + "0"
        headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v1,A", 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(rules.write_secret(secret)).verify(body, headers)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com/hooks",
        "https://127.0.0.1/hooks",
        "https://[::1]/hooks",
        "https://[::ffff:127.0.0.1]/hooks",
        "https://2130706433/hooks",
        "https://0x7f000001/hooks",
        "https://0x7f.1/hooks",
        "https://0177.0.0.1/hooks",
        "https://127.1/hooks",
        "https://localhost/hooks",
        "https://user@shop.example.com/hooks",
        "https://shop.example.com@127.0.0.1/hooks",
        "https://shop.example.com:22/hooks",
        "https://shop.example.com:0/hooks",
        "https://shop.example.com:99999/hooks",
        "https://169.254.169.254/latest/meta-data",
        "https://shop.example.com/hooks\r\nX-More: 1",
        "ftp://shop.example.com/hooks",
        "//shop.example.com/hooks",
        "https://①②⑦.⓪.⓪.①/hooks",
        "",
    ],
)
def test_an_address_that_is_not_one_of_the_internet_is_refused_by_its_form(url):
    client = ShopWebhooks(ports=[443, 8443])
    assert not client.may_call(url)
    assert send(client, url).text == NOT_OF_THE_INTERNET


class Leading(AbstractResolver):
    """A name server of somebody who means us harm: another answer each time."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_INET):
        address = self._answers.pop(0)
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.5", "172.16.3.4", "192.168.0.10", "169.254.169.254", "100.64.1.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "fe80::1", "fd00::1",  # noqa: S104
        "::ffff:10.0.0.5", "64:ff9b::a00:5", "2002:0a00:0005::1", "2001:0:4136::1",
    ],
)  # fmt: skip
def test_a_name_that_leads_to_an_internal_machine_is_not_called(address):
    client = ShopWebhooks(resolver=Leading(address))
    assert send(client, "https://shop.example.com/hooks").text == NOT_OF_THE_INTERNET


def test_a_name_that_turns_internal_between_two_sendings_is_caught_at_the_second():
    """Nothing is remembered of the first look-up, so nothing of it can be believed either."""
    client = ShopWebhooks(resolver=Leading("192.0.0.0", "127.0.0.1"), timeout_s=0.3)
    for _ in range(2):
        assert send(client, "https://shop.example.com/hooks").text == NOT_OF_THE_INTERNET


def test_only_the_very_origin_that_a_setting_names_is_trusted():
    client = ShopWebhooks(trusted_origins=["http://127.0.0.1:9000"])
    assert client.may_call("http://127.0.0.1:9000/any")
    assert not client.may_call("http://127.0.0.1:9001/any")
    assert not client.may_call("http://127.0.0.1:9000@evil.example/any")
