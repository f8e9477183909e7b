"""Whose receipt it is, and what a gateway's answer means for it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from opsapp.cash_receipts.states import ReceiptStatus as S
from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel.errors import Invalid
from opsapp.kernel.masking import mask_account, mask_phone

# Ways to pay for which the law knows cash receipts; a card slip is a receipt already.
METHOD_KINDS = ("transfer", "virtual_account")
TURNS_MAX = 8
# The tax office answers in one or two days: hourly for a day, then every six hours for nine more.
HOURLY_LOOKS = 24
LOOKS_MAX = 60
_BACK_OFF_MAX = timedelta(minutes=30)

_PHONE = re.compile(r"01[016789]\d{7,8}")
_BUSINESS = re.compile(r"\d{10}")
_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)  # of a Korean business registration number


class Ask(StrEnum):
    ISSUE = "issue"
    FIND = "find"
    CANCEL = "cancel"
    FIND_CANCEL = "find_cancel"


@dataclass(frozen=True, slots=True)
class Registration:
    """`number` is personal data: digits only."""

    kind: str
    number: str

    @property
    def masked(self) -> str:
        is_phone = self.kind == "income_deduction"
        return mask_phone(self.number) if is_phone else mask_account(self.number)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`is_done` of a cancel: the part that was asked for is cancelled."""

    status: S
    because: str
    wait: timedelta = timedelta(0)
    was_sent: bool = True
    is_done: bool = False


def read_registration(kind: str, text: str) -> Registration:
    """As people type it. Raises Invalid(field="receipt_number"); a card's number is refused."""
    digits = text.replace("-", "").replace(" ", "")
    if not (digits.isascii() and digits.isdigit()):
        raise Invalid(field="receipt_number", reason="Enter the number in digits.")
    if len(digits) >= 13:
        raise Invalid(
            field="receipt_number", reason="Do not enter a card number. Enter a phone number."
        )
    if kind == "income_deduction" and not _PHONE.fullmatch(digits):
        reason = "Enter a mobile phone number, for example 010-1234-5678."
        raise Invalid(field="receipt_number", reason=reason)
    if kind == "expense_proof" and not _is_business_number(digits):
        reason = "Enter a business registration number of 10 digits."
        raise Invalid(field="receipt_number", reason=reason)
    return Registration(kind, digits)


def judge(ask: Ask, answer: Answer, *, turns: int, honours_keys: bool) -> Verdict:
    """`turns` with this one, since the present question was first asked."""
    match ask:
        case Ask.ISSUE:
            return _judge_issue(answer, turns, honours_keys=honours_keys)
        case Ask.FIND:
            return _judge_look(answer, turns)
        case Ask.CANCEL:
            return _judge_cancel(answer, turns, honours_keys=honours_keys)
        case Ask.FIND_CANCEL:
            return _judge_cancel_look(answer, turns)


def look_after(turns: int) -> timedelta:
    return timedelta(hours=1 if turns < HOURLY_LOOKS else 6)


def _judge_issue(answer: Answer, turns: int, *, honours_keys: bool) -> Verdict:
    if (receipt := answer.cash_receipt) is not None:
        match receipt.status:
            case "issued":
                return Verdict(S.ISSUED, "issued")
            case "in_progress":
                return Verdict(S.IN_PROGRESS, "the tax office has not answered yet", look_after(0))
            case "failed":
                return Verdict(S.FAILED, _refused(receipt.failure_code or answer.code))
    if answer.outcome is Outcome.DECLINED and (turns == 1 or honours_keys):
        return Verdict(S.FAILED, _refused(answer.code))
    return _again(S.REQUESTED, answer, turns)


def _judge_look(answer: Answer, turns: int) -> Verdict:
    status = answer.cash_receipt.status if answer.cash_receipt else ""
    if status == "issued":
        return Verdict(S.ISSUED, "issued")
    if status == "failed" and answer.cash_receipt:
        return Verdict(S.FAILED, _refused(answer.cash_receipt.failure_code))
    return _look_again(S.IN_PROGRESS, answer, turns)


def _judge_cancel(answer: Answer, turns: int, *, honours_keys: bool) -> Verdict:
    if (receipt := answer.cash_receipt) is not None:
        match receipt.status:
            case "cancelled":
                return Verdict(S.CANCELLING, "cancelled", is_done=True)
            case "in_progress":
                because = "the tax office has not answered the cancel yet"
                return Verdict(S.CANCELLING, because, look_after(0))
            case "failed":
                return Verdict(S.NEEDS_HUMAN, _refused(receipt.failure_code or answer.code))
    if answer.outcome is Outcome.DECLINED or answer.outcome is Outcome.CONFLICT:
        return Verdict(S.NEEDS_HUMAN, _refused(answer.code))
    if answer.outcome is not Outcome.NOT_SENT and not honours_keys:
        return Verdict(S.NEEDS_HUMAN, "no certain answer, and a repeat might cancel twice")
    return _again(S.CANCELLING, answer, turns)


def _judge_cancel_look(answer: Answer, turns: int) -> Verdict:
    status = answer.cash_receipt.status if answer.cash_receipt else ""
    if status == "cancelled":
        return Verdict(S.CANCELLING, "cancelled", is_done=True)
    if status == "failed" and answer.cash_receipt:
        return Verdict(S.NEEDS_HUMAN, _refused(answer.cash_receipt.failure_code))
    return _look_again(S.CANCELLING, answer, turns)


def _again(status: S, answer: Answer, turns: int) -> Verdict:
    if answer.outcome is Outcome.NOT_SENT:
        return Verdict(status, "nothing was sent", _back_off(1), was_sent=False)
    if turns >= TURNS_MAX:
        return Verdict(S.NEEDS_HUMAN, "no certain answer in many turns")
    # Our key or contract is wrong: staff mend it.
    is_ours = answer.outcome is Outcome.MISCONFIGURED
    wait = timedelta(hours=1) if is_ours else _back_off(turns)
    return Verdict(status, answer.because or "no certain answer", wait)


def _look_again(status: S, answer: Answer, turns: int) -> Verdict:
    if answer.outcome is Outcome.NOT_SENT:
        return Verdict(status, "nothing was sent", _back_off(1), was_sent=False)
    if turns >= LOOKS_MAX:
        return Verdict(S.NEEDS_HUMAN, "no answer for many days")
    return Verdict(status, answer.because or "no certain answer", look_after(turns))


def _refused(code: str | None) -> str:
    return f"refused ({code})" if code else "refused"


def _back_off(turns: int) -> timedelta:
    return min(timedelta(minutes=2.0 ** (turns - 1)), _BACK_OFF_MAX)


def _is_business_number(digits: str) -> bool:
    """The tax office's check digit; the ninth digit times five counts its tens as well."""
    if not _BUSINESS.fullmatch(digits):
        return False
    numbers = [int(digit) for digit in digits]
    total = sum(n * weight for n, weight in zip(numbers, _WEIGHTS, strict=False))
    total += numbers[8] * 5 // 10
    return (10 - total % 10) % 10 == numbers[9]
