"""Customers by what staff type: number, part of the name, initial consonants, e-mail, phone."""

import re
import string
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    any_,
    func,
    literal_column,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY

from opsapp.customers.models import Customer

TYPED_LENGTH_MAX = 100
# A common name may fit many customers; a list shows the newest rows of so many of them.
PEOPLE_MAX = 300
NAME_LENGTHS = range(1, 41)
EMAIL_PART_LENGTH_MIN = 4  # three letters fit too many addresses to be looked through at once

# How Unicode counts Hangul: 588 syllables to each of the 19 initial consonants.
SYLLABLES = ("가", "힣")
_FIRST_SYLLABLE, _FIRST_CONSONANT, _TO_A_CONSONANT = 0xAC00, 0x1100, 588
CONSONANTS = frozenset(chr(_FIRST_CONSONANT + n) for n in range(19))
# A keyboard makes one letter of two consonants in a row that may end a syllable together.
_CLUSTERS = str.maketrans(
    {
        "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ",
        "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
    }
)  # fmt: skip
_DIGITS = frozenset(string.digits)
_IN_PHONES = _DIGITS | {"-", " "}


@dataclass(frozen=True)
class Typed:
    """What was typed, in one spelling: full and half width, and letters in parts, are the same."""

    text: str

    @cached_property
    def digits(self) -> str:
        return "".join(c for c in self.text if c in _DIGITS)

    @property
    def is_number(self) -> bool:
        return self.digits == self.text

    @property
    def is_phone(self) -> bool:
        return 4 <= len(self.digits) <= 15 and _IN_PHONES.issuperset(self.text)

    @property
    def row_id(self) -> int | None:
        return int(self.text) if self.is_number and 1 <= len(self.text) <= 18 else None

    @property
    def is_word(self) -> bool:
        """What may stand inside a number that somebody else gave: of ASCII, without a space."""
        return self.text.isascii() and self.text.isprintable() and " " not in self.text

    @cached_property
    def name(self) -> str:
        """As the database folds names; "" for what no name looks like."""
        folded = re.sub(r"\s", "", self.text.lower())
        is_name = (
            len(folded) in NAME_LENGTHS
            and not self.digits
            and any(c.isalpha() for c in folded)
            and not {"@", "_"} & {*folded}
        )
        return folded if is_name else ""


def read_typed(text: str) -> Typed:
    plain = unicodedata.normalize("NFKC", text.translate(_CLUSTERS))
    seen = "".join(c for c in plain if unicodedata.category(c) not in ("Cc", "Cf"))
    return Typed(seen.strip()[:TYPED_LENGTH_MAX])


def people_like(search: str) -> Select[Any]:
    """Ids of customers that a list's search box is about."""
    found = union(*people_arms(read_typed(search), limit=PEOPLE_MAX)).subquery()
    return select(found.c[0])


def is_one_of(column: Any, found: Select[Any]) -> ColumnElement[bool]:
    """As an array, which is read first. Joined in, PostgreSQL may go through the whole table for
    the few, believing that the first page of a list is soon full.
    """
    ids = func.array(found.scalar_subquery(), type_=ARRAY(BigInteger))
    is_it: ColumnElement[bool] = column == any_(ids)
    return is_it


def people_arms(typed: Typed, *, limit: int) -> list[Select[Any]]:
    """One index look-up each; the exact ones first."""
    arms: list[Select[Any]] = [select(Customer.id).where(Customer.customer_ref == typed.text)]
    folded_email = func.lower(Customer.email)
    if "@" in typed.text:
        arms.append(select(Customer.id).where(folded_email == typed.text.lower()))
    if typed.is_phone:
        tail = func.right(Customer.phone, literal_column("4")) == typed.digits[-4:]
        plain = func.replace(Customer.phone, "-", "")
        is_it = plain.endswith(typed.digits, autoescape=True)
        arms.append(select(Customer.id).where(tail, is_it).limit(limit))
    part = typed.text.lower().partition("@")[0]
    if typed.is_word and not typed.is_phone and len(part) >= EMAIL_PART_LENGTH_MIN:
        wanted = select(Customer.id).where(
            _email_name().contains(part, autoescape=True),
            folded_email.contains(typed.text.lower(), autoescape=True),
        )
        arms.append(wanted.limit(limit))
    if len(typed.name) == 1:
        begins = func.left(Customer.name, literal_column("1")) == typed.name
        newest = select(Customer.id).where(begins).order_by(Customer.id.desc())
        arms.append(newest.limit(limit))
    elif typed.name:
        arms.append(select(Customer.id).where(*_is_called(typed.name)).limit(limit))
    return arms


def _email_name() -> ColumnElement[str]:
    """As the index has it, so its two constants are none of the parameters."""
    email = func.lower(Customer.email)
    name: ColumnElement[str] = func.split_part(
        email, literal_column("'@'"), literal_column("1"), type_=Text
    )
    return name


def _is_called(name: str) -> list[ColumnElement[bool]]:
    """`name` anywhere in the customer's, its bare consonants standing for any syllable of theirs.

    The index holds two and three letters in a row; what it says of a longer name is looked at
    again.
    """
    has_consonants = any(c in CONSONANTS for c in name)
    spelt = initials_of(name) if has_consonants else name
    length = min(len(spelt), 3)
    grams = sorted({spelt[at : at + length] for at in range(len(spelt) - length + 1)})
    held = func.name_grams(Customer.name, type_=ARRAY(Text))
    conditions: list[ColumnElement[bool]] = [held.contains(grams)]
    if has_consonants and not CONSONANTS.issuperset(name):
        pattern = "".join(_any_of(c) for c in name)
        conditions.append(func.name_folded(Customer.name).regexp_match(pattern))
    elif len(spelt) > length:
        folded = func.name_folded(Customer.name)
        whole = func.name_initials(folded) if has_consonants else folded
        conditions.append(whole.contains(spelt, autoescape=True))
    return conditions


def initials_of(name: str) -> str:
    """Each syllable by the consonant it begins with; every other letter as it is."""
    return "".join(_initial(letter) for letter in name)


def _initial(letter: str) -> str:
    if not SYLLABLES[0] <= letter <= SYLLABLES[1]:
        return letter
    return chr(_FIRST_CONSONANT + (ord(letter) - _FIRST_SYLLABLE) // _TO_A_CONSONANT)


def _any_of(letter: str) -> str:
    """A regular expression: the letter itself, or for a consonant each syllable it begins."""
    if letter not in CONSONANTS:
        return re.escape(letter)
    first = _FIRST_SYLLABLE + (ord(letter) - _FIRST_CONSONANT) * _TO_A_CONSONANT
    return f"[{letter}{chr(first)}-{chr(first + _TO_A_CONSONANT - 1)}]"
