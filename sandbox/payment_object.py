"""The Payment object of the API, version 2022-11-16 (docs.tosspayments.com, Payment object)."""

import hashlib
import secrets
from typing import Any, Final

from sandbox import clock, fields
from sandbox.errors import Refused

Json = dict[str, Any]

VERSION: Final = "2022-11-16"
CARD, VIRTUAL_ACCOUNT, EASY_PAY, MOBILE, TRANSFER = (
    "카드",
    "가상계좌",
    "간편결제",
    "휴대폰",
    "계좌이체",
)
CULTURE_GIFT, BOOK_GIFT, GAME_GIFT = "문화상품권", "도서문화상품권", "게임문화상품권"
# The browser SDK names methods in English, the API in Korean.
METHODS: Final[dict[str, str]] = {
    "CARD": CARD,
    "VIRTUAL_ACCOUNT": VIRTUAL_ACCOUNT,
    "EASY_PAY": EASY_PAY,
    "MOBILE_PHONE": MOBILE,
    "TRANSFER": TRANSFER,
    "CULTURE_GIFT_CERTIFICATE": CULTURE_GIFT,
    "BOOK_GIFT_CERTIFICATE": BOOK_GIFT,
    "GAME_GIFT_CERTIFICATE": GAME_GIFT,
}
BANKS: Final[dict[str, str]] = {
    "02": "산업", "03": "기업", "06": "국민", "07": "수협", "11": "농협", "20": "우리",
    "23": "SC제일", "27": "씨티", "31": "대구", "32": "부산", "34": "광주", "35": "제주",
    "37": "전북", "39": "경남", "45": "새마을", "48": "신협", "64": "산림", "71": "우체국",
    "81": "하나", "88": "신한", "89": "케이", "90": "카카오", "92": "토스",
}  # fmt: skip
# Issuer code -> (name, BIN): the code's meaning is the vendor's, the BINs are made up.
ISSUERS: Final[dict[str, tuple[str, str]]] = {
    "11": ("국민", "53275010"),
    "21": ("하나", "45184445"),
    "24": ("토스뱅크", "53275030"),
    "31": ("비씨", "94000112"),
    "33": ("우리", "53648500"),
    "41": ("신한", "43301234"),
    "51": ("삼성", "37653500"),
    "61": ("현대", "40289800"),
    "71": ("롯데", "51184200"),
    "91": ("농협", "55741900"),
}
_ISSUER_CODES: Final = tuple(ISSUERS)
# Fields that are null until something fills them.
_NOTHING_YET: Final[Json] = dict.fromkeys(
    (
        "lastTransactionKey", "approvedAt", "card", "virtualAccount", "transfer", "mobilePhone",
        "giftCertificate", "easyPay", "cashReceipt", "cashReceipts", "discount", "cancels",
        "secret", "failure", "receipt", "metadata",
    )
)  # fmt: skip
WALLETS: Final = ("토스페이", "네이버페이", "카카오페이", "페이코", "삼성페이", "SSG페이", "엘페이")
LEAST_CARD_AMOUNT: Final = 100
LEAST_ACCOUNT_AMOUNT: Final = 200
LEAST_INSTALMENT_AMOUNT: Final = 50_000
MOST_INSTALMENT_MONTHS: Final = 12


def new_payment(
    merchant_id: str,
    *,
    payment_key: str,
    order_id: str,
    order_name: str,
    kind: str,
    amount: int,
    tax_free: int,
    tax_exemption: int,
    requested_at_s: float,
    method: str | None = None,
    status: str = "READY",
) -> Json:
    """A payment with every field of the object; what does not apply is null."""
    payment: Json = {
        "mId": merchant_id,
        "paymentKey": payment_key,
        "orderId": order_id,
        "orderName": order_name,
        "taxExemptionAmount": tax_exemption,
        "status": status,
        "requestedAt": clock.stamp(requested_at_s),
        "useEscrow": False,
        "cultureExpense": False,
        **_NOTHING_YET,
        "type": kind,
        "country": "KR",
        "isPartialCancelable": tax_exemption == 0,
        "checkout": {"url": f"https://api.tosspayments.com/v1/payments/{payment_key}/checkout"},
        "currency": "KRW",
        "totalAmount": amount,
        "balanceAmount": amount,
        "suppliedAmount": 0,
        "vat": 0,
        "taxFreeAmount": tax_free,
        "method": method,
        "version": VERSION,
    }
    set_tax(payment)
    return payment


def set_tax(payment: Json) -> None:
    """vat = round((amount - taxFree) / 11), on what is left after cancels; supply is the rest."""
    taxable = max(
        0, payment["balanceAmount"] - payment["taxFreeAmount"] - payment["taxExemptionAmount"]
    )
    # Rounded in whole numbers; eleven is odd, so there is no tie.
    payment["vat"] = (2 * taxable + 11) // 22
    payment["suppliedAmount"] = taxable - payment["vat"]


def approve(payment: Json, at_s: float, transaction_key: str) -> None:
    payment["status"] = "DONE"
    payment["approvedAt"] = clock.stamp(at_s)
    payment["lastTransactionKey"] = transaction_key
    payment["receipt"] = {
        "url": "https://dashboard.tosspayments.com/receipt/redirection"
        f"?transactionId={payment['paymentKey']}&ref=PX"
    }


def fail(payment: Json, status: str, code: str, message: str) -> None:
    payment["status"] = status
    payment["failure"] = {"code": code, "message": message}


def new_payment_key(merchant_id: str, at_s: float) -> str:
    second = clock.stamp(at_s)
    digits = (
        second[0:4] + second[5:7] + second[8:10] + second[11:13] + second[14:16] + second[17:19]
    )
    return f"{merchant_id or 'sbwindow'}{digits}{secrets.token_hex(6)}"


def new_transaction_key() -> str:
    return secrets.token_hex(16).upper()


def card_identity(subject: str, number: str | None = None) -> Json:
    """What is known of a card: issuer, masked number, kind. Made up from `subject` if unknown.

    A raw number is masked here and kept nowhere.
    """
    hashed = hashlib.blake2b(subject.encode(), digest_size=8).digest()
    issuer = _ISSUER_CODES[hashed[0] % len(_ISSUER_CODES)]
    if number is None:
        number = ISSUERS[issuer][1] + str(int.from_bytes(hashed[1:6]) % 10**8).zfill(8)
    return {
        "issuerCode": issuer,
        "acquirerCode": issuer,
        "number": f"{number[:8]}****{number[12:-1]}*",
        "cardType": "체크" if hashed[6] % 4 == 0 else "신용",
        "ownerType": "법인" if hashed[7] % 20 == 0 else "개인",
    }


def number_from(subject: str, below: int) -> int:
    """A number in [0, below) that depends on the subject only."""
    return int.from_bytes(hashlib.blake2b(subject.encode(), digest_size=4).digest()) % below


def card_part(identity: Json, amount: int, installment_months: int = 0) -> Json:
    """`Payment.card` of an approved charge."""
    return {
        "amount": amount,
        "issuerCode": identity["issuerCode"],
        "acquirerCode": identity["acquirerCode"],
        "number": identity["number"],
        "installmentPlanMonths": installment_months,
        "isInterestFree": False,
        "interestPayer": None,
        "approveNo": str(secrets.randbelow(10**8)).zfill(8),
        "useCardPoint": False,
        "cardType": identity["cardType"],
        "ownerType": identity["ownerType"],
        "acquireStatus": "READY",
    }


def installment_months(wish: Json, name: str, amount: int) -> int:
    """0 or 2-12 months, from 50,000 won."""
    months = fields.whole(wish.get(name) or 0, name)
    if months and not 2 <= months <= MOST_INSTALMENT_MONTHS:
        raise Refused("INVALID_CARD_INSTALLMENT_PLAN")
    if months and amount < LEAST_INSTALMENT_AMOUNT:
        raise Refused("NOT_ALLOWED_INSTALLMENT_BELOW_AMOUNT")
    return months


def transfer_part(bank: str) -> Json:
    return {"bankCode": bank, "settlementStatus": "INCOMPLETED"}
