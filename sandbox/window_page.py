"""How the payment window looks: plain HTML that needs no script, in Korean and English."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from sandbox import payment_object as objects
from sandbox.errors import CODES

_CARRIERS: Final = ("SKT", "KT", "LG U+", "알뜰폰")
# What a buyer may be declined with here, by who declines; the page offers them in this order.
_DECLINES: Final = (
    "REJECT_CARD_PAYMENT",
    "REJECT_ACCOUNT_PAYMENT",
    "REJECT_CARD_COMPANY",
    "INVALID_STOPPED_CARD",
    "INVALID_CARD_EXPIRATION",
    "INVALID_CARD_LOST_OR_STOLEN",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
    "NOT_SUPPORTED_CARRIER",
    "FDS_ERROR",
    "PROVIDER_ERROR",
    "PAY_PROCESS_ABORTED",
)
_STATES: Final = ("ok", "insufficient_funds", "expired", "stopped", "lost", "refused")
_WORDS: Final[dict[str, dict[str, str]]] = {
    "ko": {
        "title": "테스트 결제창",
        "note": "실제로 결제되지 않는 모의 결제창입니다.",
        "order": "주문 상품",
        "order_id": "주문번호",
        "amount": "결제 금액",
        "method": "결제수단",
        "months": "할부 기간",
        "once": "일시불",
        "each_month": "{}개월",
        "small": "할부는 5만 원 이상부터 선택할 수 있습니다.",
        "provider": "간편결제사",
        "split": "간편결제 안에서 나누어 내기",
        "points": "포인트 사용액",
        "money": "계좌·머니 사용액",
        "rest": "나머지는 등록된 카드로 결제합니다.",
        "carrier": "통신사",
        "bank": "은행",
        "account_bank": "입금 은행",
        "approve": "결제 승인",
        "decline": "결제 거절",
        "cancel": "취소",
        "reason": "거절 사유",
        "problem": "입력한 내용을 확인해 주세요.",
        "refused": "결제창을 열 수 없습니다",
        "won": "{}원",
        "registration": "테스트 결제수단 등록창",
        "registration_note": "실제로 등록되지 않는 모의 등록창입니다.",
        "register": "등록",
        "decline_registration": "등록 거절",
        "state": "등록한 뒤의 결제 결과",
        "state_ok": "정상 결제",
        "state_insufficient_funds": "한도·잔액 부족",
        "state_expired": "유효기간 만료",
        "state_stopped": "정지된 카드",
        "state_lost": "분실·도난 카드",
        "state_refused": "등록 자체가 거절됨",
    },
    "en": {
        "title": "Test payment window",
        "note": "This window is a stand-in. No money is moved.",
        "order": "Order",
        "order_id": "Order number",
        "amount": "Amount",
        "method": "Payment method",
        "months": "Instalments",
        "once": "Pay in full",
        "each_month": "{} months",
        "small": "Instalments are available from 50,000 won.",
        "provider": "Wallet",
        "split": "Split inside the wallet",
        "points": "Paid with points",
        "money": "Paid from the wallet's balance",
        "rest": "The rest is charged to the card in the wallet.",
        "carrier": "Carrier",
        "bank": "Bank",
        "account_bank": "Bank to pay in at",
        "approve": "Approve payment",
        "decline": "Decline payment",
        "cancel": "Cancel",
        "reason": "Reason for declining",
        "problem": "Please check what you entered.",
        "refused": "The payment window cannot be opened",
        "won": "KRW {}",
        "registration": "Test registration window",
        "registration_note": "This window is a stand-in. Nothing is registered.",
        "register": "Register",
        "decline_registration": "Decline registration",
        "state": "Later charges",
        "state_ok": "go through",
        "state_insufficient_funds": "fail: insufficient funds",
        "state_expired": "fail: the card expired",
        "state_stopped": "fail: the card is suspended",
        "state_lost": "fail: the card was lost",
        "state_refused": "none: the registration is refused",
    },
}
_METHOD_WORDS: Final = {
    "CARD": "Card",
    "VIRTUAL_ACCOUNT": "Virtual account",
    "EASY_PAY": "Easy pay",
    "MOBILE_PHONE": "Mobile phone",
    "TRANSFER": "Bank transfer",
}
_STYLE: Final = """
:root{color-scheme:light dark;--line:#8b95a1;--paper:#fff;--ink:#191f28;--go:#1b64da;--stop:#b3261e}
@media(prefers-color-scheme:dark){:root{--paper:#17191c;--ink:#f2f4f6;--go:#8ab4ff;--stop:#ffb4ab}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:1rem/1.6 system-ui,"Apple SD Gothic Neo","Malgun Gothic","Noto Sans KR",sans-serif}
main{max-width:28rem;margin:0 auto;padding:1.25rem}
h1{font-size:1.375rem;margin:0 0 .25rem}
dl{margin:1.25rem 0;border-top:1px solid var(--line)}
dl div{display:flex;gap:1rem;justify-content:space-between;padding:.5rem 0;
border-bottom:1px solid var(--line)}
dd{margin:0;text-align:right;overflow-wrap:anywhere;min-width:0}
.sum dd{font-weight:700;font-size:1.25rem}
fieldset{border:1px solid var(--line);border-radius:.5rem;margin:1rem 0;padding:.75rem 1rem}
label{display:block;margin:.75rem 0 .25rem;font-weight:600}
select,input,button{width:100%;min-height:2.75rem;font:inherit;color:inherit;border-radius:.5rem;
border:1px solid var(--line);background:transparent;padding:.5rem .75rem}
option{color:#191f28;background:#fff}
button{margin-top:.75rem;font-weight:700;cursor:pointer}
#approve{background:var(--go);border-color:var(--go);color:var(--paper)}
#decline{color:var(--stop);border-color:var(--stop)}
:focus-visible{outline:3px solid var(--go);outline-offset:2px}
.error{border:2px solid var(--stop);border-radius:.5rem;padding:.5rem .75rem}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def render(
    *,
    hidden: Mapping[str, str],
    amount: int,
    method: str,
    lang: str,
    error: str | None,
    chosen: Mapping[str, str],
) -> tuple[str, str]:
    """The page, and the hash of its style for the policy. `chosen` is what was sent before."""
    words = _WORDS[lang]
    shown = _METHOD_WORDS.get(method, method) if lang == "en" else objects.METHODS[method]
    alert = f"<p class=error role=alert>{words['problem']} {escape(error)}</p>" if error else ""
    reasons = [(code, f"{CODES[code].message} ({code})") for code in _DECLINES]
    body = (
        f"<h1>{words['title']}</h1><p>{words['note']}</p>{alert}<dl>"
        f"{_fact(words['order'], hidden['orderName'])}"
        f"{_fact(words['order_id'], hidden['orderId'])}"
        f"{_fact(words['method'], shown)}"
        f"{_fact(words['amount'], words['won'].format(f'{amount:,}'), 'sum')}</dl>"
        f'<form method=post action="/_sandbox/window">{_hidden(hidden)}'
        f"{_choices(method, amount, words, chosen)}"
        f"<button id=approve name=decision value=approve>{words['approve']}</button>"
        f"<fieldset><legend>{words['decline']}</legend>"
        f"{_select('code', words['reason'], reasons, chosen)}"
        f"<button id=decline name=decision value=decline>{words['decline']}</button></fieldset>"
        f"<button id=cancel name=decision value=cancel>{words['cancel']}</button></form>"
    )
    return _document(words["title"], body, lang), _STYLE_HASH


def render_registration(
    *,
    hidden: Mapping[str, str],
    method: str,
    lang: str,
    error: str | None,
    chosen: Mapping[str, str],
) -> tuple[str, str]:
    """The page on which a card or an account is registered, and the hash of its style."""
    words = _WORDS[lang]
    shown = _METHOD_WORDS[method] if lang == "en" else objects.METHODS[method]
    alert = f"<p class=error role=alert>{words['problem']} {escape(error)}</p>" if error else ""
    states = [(name, words[f"state_{name}"]) for name in _STATES]
    reasons = [(code, f"{CODES[code].message} ({code})") for code in _DECLINES]
    body = (
        f"<h1>{words['registration']}</h1><p>{words['registration_note']}</p>{alert}"
        f"<dl>{_fact(words['method'], shown)}</dl>"
        f'<form method=post action="/_sandbox/window/billing">{_hidden(hidden)}'
        f"{_select('state', words['state'], states, chosen)}"
        f"<button id=approve name=decision value=approve>{words['register']}</button>"
        f"<fieldset><legend>{words['decline_registration']}</legend>"
        f"{_select('code', words['reason'], reasons, chosen)}"
        f"<button id=decline name=decision value=decline>{words['decline_registration']}</button>"
        f"</fieldset><button id=cancel name=decision value=cancel>{words['cancel']}</button></form>"
    )
    return _document(words["registration"], body, lang), _STYLE_HASH


def render_refusal(reason: str, lang: str) -> tuple[str, str]:
    """Why there is no window, for the developer who asked for it."""
    title = _WORDS[lang]["refused"]
    body = f"<h1>{title}</h1><p class=error role=alert>{escape(reason)}</p>"
    return _document(title, body, lang), _STYLE_HASH


def _choices(method: str, amount: int, words: Mapping[str, str], chosen: Mapping[str, str]) -> str:
    banks = list(objects.BANKS.items())
    match method:
        case "CARD":
            return _months(amount, words, chosen)
        case "EASY_PAY":
            providers = [(name, name) for name in objects.WALLETS]
            return (
                f"{_select('provider', words['provider'], providers, chosen)}"
                f"<fieldset><legend>{words['split']}</legend>"
                f"{_number('walletPoints', words['points'], amount, chosen)}"
                f"{_number('walletMoney', words['money'], amount, chosen)}"
                f"<p>{words['rest']}</p>{_months(amount, words, chosen)}</fieldset>"
            )
        case "MOBILE_PHONE":
            carriers = [(name, name) for name in _CARRIERS]
            return _select("carrier", words["carrier"], carriers, chosen)
        case "TRANSFER":
            return _select("bank", words["bank"], banks, chosen)
        case "VIRTUAL_ACCOUNT":
            return _select("bank", words["account_bank"], banks, chosen)
        case _:
            return ""


def _months(amount: int, words: Mapping[str, str], chosen: Mapping[str, str]) -> str:
    """Only what the sum allows can be chosen."""
    longest = objects.MOST_INSTALMENT_MONTHS if amount >= objects.LEAST_INSTALMENT_AMOUNT else 0
    plans = [("0", words["once"])]
    plans += [(str(n), words["each_month"].format(n)) for n in range(2, longest + 1)]
    note = "" if longest else f"<p>{words['small']}</p>"
    return _select("installmentPlanMonths", words["months"], plans, chosen) + note


def _select(
    name: str, label: str, options: Iterable[tuple[str, str]], chosen: Mapping[str, str]
) -> str:
    listed = "".join(
        f'<option value="{escape(value)}"{" selected" * (chosen.get(name) == value)}>'
        f"{escape(text)}</option>"
        for value, text in options
    )
    return f"<label for={name}>{label}</label><select id={name} name={name}>{listed}</select>"


def _number(name: str, label: str, most: int, chosen: Mapping[str, str]) -> str:
    return (
        f"<label for={name}>{label}</label><input id={name} name={name} type=number "
        f'inputmode=numeric min=0 max={most} step=1 value="{escape(chosen.get(name) or "0")}">'
    )


def _hidden(fields: Mapping[str, str]) -> str:
    return "".join(
        f'<input type=hidden name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )


def _fact(name: str, value: str, kind: str = "") -> str:
    return f'<div class="{kind}"><dt>{name}</dt><dd>{escape(value)}</dd></div>'


def _document(title: str, body: str, lang: str) -> str:
    return (
        f"<!doctype html><html lang={lang}><head><meta charset=utf-8><title>{title}</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
