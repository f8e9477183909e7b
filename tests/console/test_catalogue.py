import re

from babel.messages.pofile import read_po

from tests.console.catalogue import ROOT, keys

PLACEHOLDER = re.compile(r"\{(\w+)\}")


def catalogue():
    with (ROOT / "locale" / "ko.po").open("rb") as source:
        return {m.id: m.string for m in read_po(source, locale="ko") if m.id}


def test_everything_that_can_be_shown_has_its_korean():
    assert sorted(keys() - {key for key, text in catalogue().items() if text}) == []


def test_no_korean_is_kept_for_words_that_nobody_shows():
    assert sorted(catalogue().keys() - keys()) == []


def test_a_translation_fills_in_what_its_key_fills_in():
    for key, text in catalogue().items():
        assert set(PLACEHOLDER.findall(text)) <= set(PLACEHOLDER.findall(key)), key
