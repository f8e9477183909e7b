"""Web Push: what we seal is opened by http-ece, what we sign is checked by py-vapid."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings as hypothesis_settings, strategies as st

from opsapp.channels import webpush_sealing
from opsapp.channels.base import Message, Outcome, Receipt
from opsapp.channels.internet import is_callable, is_public
from opsapp.channels.tokens import from_b64url
from opsapp.channels.webpush import WebPushChannel
from tests.fakes import push
from tests.fakes.push import Browser, PushDouble

PRIVATE_KEY = push.b64url(bytes(range(1, 33)))
NOT_OF_THE_INTERNET = Receipt(Outcome.REFUSED, "the address is not one of the internet")


@pytest.fixture(scope="module")
def server() -> Iterator[PushDouble]:
    with push.running() as double:
        yield double


@pytest.fixture
def double(server: PushDouble) -> PushDouble:
    server.forget()
    return server


class Names(AbstractResolver):
    """A name server that answers as told, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses
        ]

    async def close(self) -> None: ...


def channel_for(double: PushDouble, **more: Any) -> WebPushChannel:
    origin = {"trusted_origin": double.url} | more
    return WebPushChannel(private_key=PRIVATE_KEY, contact="mailto:ops@example.com", **origin)


def message(recipient: str, **more: Any) -> Message:
    return Message("note_1", "payment_failed", "ko", recipient, "결제 안내", "12,000원\n", **more)


def send(channel: WebPushChannel, what: Message) -> Receipt:
    return asyncio.run(channel.send(what))


def push_to(double: PushDouble, browser: Browser, **more: Any) -> Receipt:
    recipient = browser.subscription(f"{double.url}/push/1")
    return send(channel_for(double), message(recipient, **more))


def test_only_the_browser_reads_what_it_is_sent(double: PushDouble) -> None:
    browser = Browser()
    receipt = push_to(double, browser, link="https://shop.example/my/1")
    assert receipt == Receipt(Outcome.ACCEPTED)
    [(headers, body)] = double.arrived
    assert browser.open(body) == {
        "title": "결제 안내",
        "body": "12,000원",
        "ref": "note_1",
        "lang": "ko",
        "link": "https://shop.example/my/1",
    }
    assert headers["Content-Encoding"] == "aes128gcm"
    assert headers["TTL"] == "86400"
    with pytest.raises(Exception, match="Decryption error"):
        Browser(auth=browser.auth).open(body)


def test_the_push_service_knows_us_by_our_key_for_half_a_day_and_for_its_own_address(
    double: PushDouble,
) -> None:
    push_to(double, Browser())
    [(headers, _)] = double.arrived
    claims = push.vapid_claims(headers["Authorization"])
    assert claims["aud"] == double.url
    assert claims["sub"] == "mailto:ops@example.com"
    assert 11.9 < (claims["exp"] - datetime.now(UTC).timestamp()) / 3600 <= 12
    assert headers["Authorization"].endswith(f"k={channel_for(double).public_key}")


def test_a_message_sent_twice_has_one_topic_and_two_seals(double: PushDouble) -> None:
    browser = Browser()
    push_to(double, browser)
    push_to(double, browser)
    first, second = double.arrived
    assert first[0]["Topic"] == second[0]["Topic"]
    assert first[1][:16] != second[1][:16]  # the salt
    assert first[1][21:86] != second[1][21:86]  # the sender's key for this message


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.binary(max_size=webpush_sealing.TEXT_BYTES_MAX))
def test_whatever_fits_is_opened_again(text: bytes) -> None:
    browser = Browser()
    sealed = webpush_sealing.seal(
        text,
        browser_key=webpush_sealing.point_of(browser.key),
        auth_secret=browser.auth,
    )
    assert len(sealed) <= webpush_sealing.RECORD_BYTES
    opened = push.http_ece.decrypt(sealed, private_key=browser.key, auth_secret=browser.auth)
    assert opened == text


def test_the_example_of_rfc_8291_comes_out_to_the_byte() -> None:
    own = int.from_bytes(from_b64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")
    sealed = webpush_sealing.seal(
        b"When I grow up, I want to be a watermelon",
        browser_key=from_b64url(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth_secret=from_b64url("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=from_b64url("DGv6ra1nlYgDCS1FRnbzlw"),
        own_key=ec.derive_private_key(own, ec.SECP256R1()),
    )
    assert push.b64url(sealed) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        (201, Receipt(Outcome.ACCEPTED)),
        (202, Receipt(Outcome.ACCEPTED)),
        (404, Receipt(Outcome.REFUSED, "gone")),
        (410, Receipt(Outcome.REFUSED, "gone")),
        (400, Receipt(Outcome.REFUSED, "HTTP 400")),
        (413, Receipt(Outcome.REFUSED, "HTTP 413")),
        (403, Receipt(Outcome.AWAY, "HTTP 403")),
        (429, Receipt(Outcome.AWAY, "HTTP 429")),
        (500, Receipt(Outcome.AWAY, "HTTP 500")),
        (503, Receipt(Outcome.AWAY, "HTTP 503")),
    ],
)
def test_an_answer_of_the_push_service_is_final_or_not(
    double: PushDouble, status: int, receipt: Receipt
) -> None:
    double.status, double.body = status, b"<html>\xff"
    assert push_to(double, Browser()) == receipt


def test_a_redirect_is_not_followed(double: PushDouble) -> None:
    double.status, double.location = 307, f"{double.url}/push/2"
    assert push_to(double, Browser()).outcome is Outcome.AWAY
    assert len(double.arrived) == 1


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "kim@example.com",
        "[]",
        "{}",
        "null",
        '{"endpoint": 5, "keys": {"p256dh": "", "auth": ""}}',
        '{"endpoint": "https://p.example.com/1", "keys": []}',
        '{"endpoint": "https://p.example.com/1", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}',
        '{"endpoint": "https://p.example.com/1", "keys": {"p256dh": 7, "auth": null}}',
        '{"endpoint": "https://[::1/", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}',
    ],
)
def test_what_no_browser_gave_us_is_refused(double: PushDouble, recipient: str) -> None:
    receipt = send(channel_for(double, resolver=Names("127.0.0.1")), message(recipient))
    assert receipt.outcome is Outcome.REFUSED


def test_a_text_too_long_for_one_record_is_refused(double: PushDouble) -> None:
    recipient = Browser().subscription(f"{double.url}/push/1")
    long = Message("note_1", "payment_failed", "ko", recipient, "제목", "가" * 1400)
    assert send(channel_for(double), long).outcome is Outcome.REFUSED
    assert double.arrived == []


INTERNAL = (
    "http://push.example.com/1",
    "https://127.0.0.1/1",
    "https://10.0.0.7/1",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/1",
    "https://[::ffff:127.0.0.1]/1",
    "https://0.0.0.0/1",
    "https://2130706433/1",
    "https://0x7f000001/1",
    "https://0177.0.0.1/1",
    "https://127.1/1",
    "https://localhost/1",
    "https://localhost./1",
    "https://push.example.com:8080/1",
    "https://user:pass@push.example.com/1",
    "https://push.example.com\\@127.0.0.1/1",
    "https://push.example.com/1\r\nHost: internal",
    "ftp://push.example.com/1",
    "file:///etc/passwd",
    "//push.example.com/1",
    "https:///1",
    "https://push.example.com/" + "a" * 3000,
)


@pytest.mark.parametrize("endpoint", INTERNAL)
def test_an_address_inside_is_never_called(double: PushDouble, endpoint: str) -> None:
    names = Names("127.0.0.1")
    channel = channel_for(double, resolver=names)
    recipient = Browser().subscription(endpoint)
    assert send(channel, message(recipient)) == NOT_OF_THE_INTERNET
    assert names.asked == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.1.2.3",),
        ("192.168.0.1",),
        ("169.254.169.254",),
        ("100.64.0.1",),
        ("0.0.0.0",),  # noqa: S104 - refused, not bound
        ("::1",),
        ("fe80::1",),
        ("fd00::1",),
        ("::ffff:10.0.0.1",),
        ("::ffff:93.184.216.34",),
        ("64:ff9b::7f00:1",),
        ("2002:7f00:1::",),
        ("224.0.0.1",),
        ("93.184.216.34", "127.0.0.1"),
    ],
)
def test_a_name_that_leads_inside_is_not_followed(
    double: PushDouble, addresses: tuple[str, ...]
) -> None:
    channel = channel_for(double, resolver=Names(*addresses))
    recipient = Browser().subscription("https://push.example.com/1")
    assert send(channel, message(recipient)) == NOT_OF_THE_INTERNET


def test_services_of_the_internet_may_be_called() -> None:
    for host in ("fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com"):
        assert is_callable(f"https://{host}/wpush/v2/gAAA-_?x=1")
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::1111")


def test_without_a_trusted_address_this_machine_is_not_called(double: PushDouble) -> None:
    channel = channel_for(double, trusted_origin="")
    recipient = Browser().subscription(f"{double.url}/push/1")
    assert send(channel, message(recipient)) == NOT_OF_THE_INTERNET
    assert double.arrived == []
