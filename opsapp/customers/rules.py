"""What a customer's data may look like, and what an answer to a registration means."""

import re
from dataclasses import dataclass
from datetime import timedelta

from opsapp.customers.states import MethodStatus
from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.kernel.errors import Invalid

REF_LENGTH_MAX = 64
NAME_LENGTH_MAX = 100
EMAIL_LENGTH_MAX = 254  # RFC 5321
AUTH_KEY_LENGTH_MAX = 300  # Toss Payments
LOCALES = ("ko", "en")
TURNS_MAX = 8

_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]*")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,63}")
_PHONE = re.compile(r"\+?[0-9][0-9 -]*[0-9]")
_BACK_OFF_MAX = timedelta(minutes=30)

# Who fills an inbox by asking for links is heard only so often; a telephone network shares an
# address among many.
ASKS_WITHIN = timedelta(hours=1)
ASKS_OF_ADDRESS_MAX = 5
ASKS_OF_SOURCE_MAX = 30
ASKS_KEPT = timedelta(days=1)
ASK_LIFE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SignInAddress:
    """An e-mail address in small letters, or the digits of a telephone number."""

    text: str
    is_phone: bool

    @property
    def forms(self) -> tuple[str, ...]:
        """The digits with and without the country's code, as either may be on file."""
        if not self.is_phone:
            return (self.text,)
        return (self.text, f"82{self.text[1:]}", f"82{self.text}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the method, why, and how long until the next turn."""

    status: MethodStatus
    because: str
    wait: timedelta = timedelta(0)
    was_sent: bool = True  # False: the turn is taken back


def check_ref(text: str, *, field: str = "customer_ref") -> str:
    """Raises Invalid."""
    if len(text) > REF_LENGTH_MAX:
        raise Invalid(field=field, reason=f"is longer than {REF_LENGTH_MAX} characters.")
    if not _REF.fullmatch(text):
        raise Invalid(field=field, reason="must be letters, digits and . _ : @ - only.")
    return text


def check_name(text: str, *, field: str = "name") -> str:
    """Raises Invalid."""
    name = " ".join(text.split())
    if not name:
        raise Invalid(field=field, reason="must not be empty.")
    if len(name) > NAME_LENGTH_MAX:
        raise Invalid(field=field, reason=f"is longer than {NAME_LENGTH_MAX} characters.")
    if not name.isprintable():
        raise Invalid(field=field, reason="holds characters that cannot be printed.")
    return name


def check_email(text: str, *, field: str = "email") -> str:
    """Raises Invalid."""
    if len(text) > EMAIL_LENGTH_MAX:
        raise Invalid(field=field, reason=f"is longer than {EMAIL_LENGTH_MAX} characters.")
    if not _EMAIL.fullmatch(text):
        raise Invalid(field=field, reason="is not an e-mail address such as name@example.com.")
    return text


def check_phone(text: str, *, field: str = "phone") -> str:
    """Digits, spaces and hyphens as people write them; raises Invalid."""
    digits = sum(character.isdigit() for character in text)
    if len(text) > 20 or not 8 <= digits <= 15 or not _PHONE.fullmatch(text):
        raise Invalid(field=field, reason="is not a telephone number such as 010-1234-5678.")
    return text


def read_sign_in_address(text: str) -> SignInAddress:
    """Raises Invalid for what is neither an e-mail address nor a telephone number."""
    typed = text.strip()
    try:
        if "@" in typed:
            return SignInAddress(check_email(typed, field="address").lower(), is_phone=False)
        digits = re.sub(r"[^0-9]", "", check_phone(typed, field="address"))
    except Invalid as error:
        reason = "Give an e-mail address or a mobile number."
        raise Invalid(field="address", reason=reason) from error
    if typed.startswith("+82") or (digits.startswith("82") and not typed.startswith("0")):
        digits = "0" + digits[2:].lstrip("0")
    return SignInAddress(digits, is_phone=True)


def check_locale(text: str, *, field: str = "locale") -> str:
    """Raises Invalid."""
    if text not in LOCALES:
        raise Invalid(field=field, reason=f"{text[:20]!r} is not one of {', '.join(LOCALES)}.")
    return text


def judge(answer: Answer, *, turns: int, honours_keys: bool) -> Verdict:
    """What an answer to the `turns`-th request for a billing key means.

    A registration has no inquiry: what is not certain is asked again under the same key.
    """
    match answer.outcome:
        case Outcome.APPROVED if answer.billing_key is not None:
            return Verdict(MethodStatus.ACTIVE, "the gateway issued a billing key")
        case Outcome.DECLINED if turns == 1 or honours_keys:
            return Verdict(MethodStatus.REFUSED, answer.because or "the gateway refused")
        case Outcome.NOT_SENT:
            wait = _back_off(1)
            return Verdict(MethodStatus.REQUESTED, "nothing was sent", wait, was_sent=False)
        case Outcome.MISCONFIGURED:
            # Our key or contract is wrong: staff mend it, the customer is not to blame.
            because = f"our set-up was refused: {answer.code}"
            wait = timedelta(hours=1)
        case _:
            because = answer.because or "no certain answer"
            wait = _back_off(turns)
    if turns >= TURNS_MAX:
        return Verdict(MethodStatus.NEEDS_HUMAN, f"no certain answer in {turns} turns")
    return Verdict(MethodStatus.REQUESTED, because, wait)


def judge_deletion(answer: Answer, *, turns: int) -> Verdict:
    """What an answer to the `turns`-th request to delete a billing key means.

    A key that the gateway does not know, or calls invalid, is gone: that is what was wanted.
    """
    match answer.outcome:
        case Outcome.APPROVED | Outcome.NOT_FOUND:
            return Verdict(MethodStatus.DELETED, "deleted at the gateway")
        case Outcome.DECLINED if answer.failure_class == FailureClass.EXPIRED:
            return Verdict(MethodStatus.DELETED, "the gateway has no such key any more")
        case Outcome.NOT_SENT:
            wait = _back_off(1)
            return Verdict(MethodStatus.DELETING, "nothing was sent", wait, was_sent=False)
        case Outcome.MISCONFIGURED:
            because = f"our set-up was refused: {answer.code}"
            wait = timedelta(hours=1)
        case _:
            because = answer.because or "no certain answer"
            wait = _back_off(turns)
    if turns >= TURNS_MAX:
        return Verdict(MethodStatus.NEEDS_HUMAN, f"no certain answer in {turns} turns")
    return Verdict(MethodStatus.DELETING, because, wait)


def _back_off(turns: int) -> timedelta:
    """5 s, 10 s, 20 s, ... up to half an hour."""
    return min(timedelta(seconds=5 * (1 << (turns - 1))), _BACK_OFF_MAX)
