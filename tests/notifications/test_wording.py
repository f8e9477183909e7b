"""What texts say, what they may say, and what is filled in."""

import pytest
from flask import Flask
from hypothesis import given, settings as hypothesis_settings, strategies as st

from opsapp.channels import registry
from opsapp.channels.solapi import SMS_BYTES_MAX, SUBJECT_BYTES_MAX, SolapiChannel, euc_kr_bytes
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.notifications import editing, previewing, rules, wording
from opsapp.notifications.errors import TextRefused
from opsapp.notifications.wording import Texts
from tests.fakes.solapi import KEY, SECRET, SENDER, SolapiDouble
from tests.notifications.conftest import Sent, queue, send

BY = Actor("staff", "1")
MEDIA = (rules.EMAIL, rules.SHORT)


def test_every_text_that_is_shipped_may_say_what_it_says_in_both_languages(app: Flask) -> None:
    for kind in rules.KINDS:
        for medium in MEDIA:
            texts = wording.shipped(kind, medium)
            previewing.check(kind, medium, texts)
            for locale in rules.LOCALES:
                message = previewing.preview(kind, medium, texts, locale)
                assert "None" not in message.subject + message.text, (kind, medium, locale)
                if medium == rules.SHORT:
                    assert euc_kr_bytes(message.subject) <= SUBJECT_BYTES_MAX, kind
                    assert message.text.startswith("[opsapp] ")
                if kind in rules.LINKED:
                    assert message.link in message.text, "who cannot touch it can read it"
    assert SMS_BYTES_MAX < 200


def test_a_kind_is_known_by_the_screens_and_has_values_with_examples(app: Flask) -> None:
    for kind, known in rules.KINDS.items():
        assert {*known.variables, *known.optional} <= previewing.SAMPLES.keys(), kind
        assert known.order[-1] in ("email", "sms"), "the last channel is one that everybody has"
    assert rules.LINKED.keys() <= rules.KINDS.keys()


FRAGMENTS = st.sampled_from(
    [
        "{{ name }}", "{{ amount_minor | money(currency) }}", "{{ at | day }}", "{{", "}}", "{%",
        "{% if at %}", "{% endif %}", "{% else %}", "{{ at | moment | day }}", "{{ plan }}",
        "{{ (1).__class__ }}", "{% include 'x' %}", "{% set a = 1 %}", "{{ at }}", "{# x #}",
        "{{ [1] * 9 }}", "{{ name() }}", "{{ name is defined }}", "{% raw %}", "{{ 1 / 0 }}",
        "{{ currency | money(amount_minor) }}", "원", "🙏", "\x00", "\n", "a",
    ]
)  # fmt: skip
TEXTS = st.lists(FRAGMENTS, min_size=1, max_size=5).map("".join)


@hypothesis_settings(max_examples=150, deadline=None)
@given(text=TEXTS, medium=st.sampled_from(MEDIA))
def test_whatever_is_written_is_refused_by_name_or_can_be_sent(text: str, medium: str) -> None:
    texts = Texts("제목", text, "Subject", "Text")
    try:
        previewing.check("payment_failed", medium, texts)
    except TextRefused as refused:
        field = refused.field
    else:
        field = None
    assert field in (None, "text_ko")
    if field is None:
        message = previewing.preview("payment_failed", medium, texts, "ko")
        assert message.text.strip()
        assert "\x00" not in message.text
        assert "class" not in message.text or "raw" in text


def test_an_approved_template_is_filled_by_the_names_of_the_values(
    sent: Sent, phones: SolapiDouble
) -> None:
    channel = SolapiChannel(
        url=phones.url, api_key=KEY, api_secret=SECRET, sender=SENDER, kakao_channel="KA01PF1"
    )
    registry.connect([sent, channel])
    texts = Texts("결제 실패", "{{ name }} {{ at | day }}", "Failed", "{{ name }}", "KA01TP1")
    with transaction():
        editing.change_texts(
            "payment_failed", "short", texts, because="알림톡 승인", seen_version=0, by=BY
        )
    send(queue())
    [message] = phones.sent
    assert message["type"] == "ATA"
    assert message["kakaoOptions"]["templateId"] == "KA01TP1"
    variables = message["kakaoOptions"]["variables"]
    assert variables["#{amount}"] == "12,000원"
    assert variables["#{name}"] == "김래원"


@pytest.mark.parametrize("locale", rules.LOCALES)
def test_a_day_is_a_day_whatever_zone_it_is_read_in(
    app: Flask, locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    message = previewing.preview(
        "subscription_ending", "email", wording.shipped("subscription_ending", "email"), locale
    )
    assert "2026-12-22" in message.subject
