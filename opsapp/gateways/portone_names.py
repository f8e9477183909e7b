"""Words of PortOne V2 and ours for the same things: methods, banks, the gateways behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

METHOD_KINDS = {
    "PaymentMethodCard": "card",
    "PaymentMethodTransfer": "transfer",
    "PaymentMethodEasyPay": "easy_pay",
    "PaymentMethodMobile": "mobile",
    "PaymentMethodVirtualAccount": "virtual_account",
}
PAY_METHODS = {
    "card": "CARD",
    "transfer": "TRANSFER",
    "easy_pay": "EASY_PAY",
    "mobile": "MOBILE",
    "virtual_account": "VIRTUAL_ACCOUNT",
}
# Two-digit codes of the Korean clearing house (its three-digit ones without the leading 0).
BANKS = {
    "02": "KDB",
    "03": "IBK",
    "04": "KOOKMIN",
    "07": "SUHYUP",
    "11": "NONGHYUP",
    "12": "LOCAL_NONGHYUP",
    "20": "WOORI",
    "23": "STANDARD_CHARTERED",
    "27": "CITI",
    "31": "DAEGU",
    "32": "BUSAN",
    "34": "KWANGJU",
    "35": "JEJU",
    "37": "JEONBUK",
    "39": "KYONGNAM",
    "45": "KFCC",
    "48": "SHINHYUP",
    "50": "SAVINGS_BANK",
    "54": "HSBC",
    "55": "DEUTSCHE",
    "57": "JPMC",
    "60": "BANK_OF_AMERICA",
    "61": "BNP_PARIBAS",
    "62": "ICBC",
    "64": "NFCF",
    "67": "CCB",
    "71": "POST",
    "81": "HANA",
    "88": "SHINHAN",
    "89": "K_BANK",
    "90": "KAKAO",
    "92": "TOSS",
}
BANK_CODES = {name: code for code, name in BANKS.items()}
LOCALES = {"ko": "KO_KR", "en": "EN_US"}
OWN_SOURCE = "portone"


@dataclass(frozen=True, slots=True)
class Channel:
    """A contract with one gateway behind PortOne; `provider` is PortOne's word for it, or ""."""

    key: str
    provider: str


def read_channels(text: str) -> Mapping[str, Channel]:
    """ "card=channel-key-1@KCP_V2,mobile=channel-key-2": method kinds and their channels."""
    found: dict[str, Channel] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, _, named = part.partition("=")
        key, _, provider = named.partition("@")
        found[kind.strip()] = Channel(key.strip(), provider.strip())
    return found


def source_of(provider: str) -> str:
    """The source of the failure table that explains this gateway's codes (`pgCode`).

    A gateway without a table of its own gets a source that nothing is found in, so that its codes
    end as unknown outcomes and in the list of codes to be reviewed.
    """
    if provider.startswith("KCP"):
        return "portone_pg_kcp"
    if provider == "TOSSPAYMENTS":
        return "toss_api"
    return f"portone_pg_{provider.lower()}" if provider else "portone_pg"
