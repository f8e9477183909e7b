"""The demo merchant's customers and plans: invented, and the same ones every time."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from opsapp.catalog.planning import NewPlan
from opsapp.catalog.registering_sellers import NewSeller
from opsapp.customers.registering import NewCustomer
from opsapp.kernel.money import Money

T = TypeVar("T")

SUBSCRIBERS = 3_600  # some leave: at the end of the year more than 3,000 go on
LAST_COMER = 350  # days; who comes later would have no history
EARLY = 0.4  # of the subscribers are there on the first day

_SURNAMES = "김이박최정강조윤장임한오서신권황안송류홍"
_GIVEN = (
    "민준", "서준", "도윤", "예준", "시우", "하준", "지호", "지후", "준서", "건우",
    "서연", "서윤", "지우", "서현", "하은", "하윤", "민서", "지유", "윤서", "채원",
    "은주", "영호", "미경", "성민", "정훈", "혜진", "상현", "보라", "나래", "다온",
)  # fmt: skip
_ENGLISH = ("Emma Wilson", "Liam Carter", "Sofia Rossi", "Noah Meyer", "Mia Tanaka")
SELLERS = (
    NewSeller("roastery", "느린 로스터리", 800),
    NewSeller("soundlab", "소리공방", 1_150),
    NewSeller("outdoor", "바깥살림", 950),
)
# Each by the seller whose it is; without one the house sells it itself.
GOODS: tuple[tuple[str, int, str], ...] = (
    ("머그컵 2개", 24_000, ""),
    ("원두 선물세트", 38_500, "roastery"),
    ("텀블러", 29_900, "roastery"),
    ("무선 이어폰", 89_000, "soundlab"),
    ("가습기 필터", 15_900, ""),
    ("캠핑 의자", 54_000, "outdoor"),
    ("여행용 파우치", 12_900, "outdoor"),
    ("블루투스 스피커", 129_000, "soundlab"),
)
REFUND_REASONS = ("단순 변심", "상품 불량", "배송 지연", "중복 주문")


@dataclass(frozen=True, slots=True)
class Offer:
    plan: NewPlan
    share: float  # of the subscribers


def _offer(code: str, name: str, won: int, *, every: str, share: float) -> Offer:
    """`every`: "day", "2 weeks", "3 months"."""
    count, _, interval = every.rpartition(" ")
    terms = (interval.removesuffix("s"), int(count or 1))
    return Offer(NewPlan(code, name, Money(won, "KRW"), *terms), share)


OFFERS = (
    _offer("lunch-daily", "데일리 도시락", 6_900, every="day", share=0.01),
    _offer("news-daily", "아침 신문", 900, every="day", share=0.005),
    _offer("flower-weekly", "주간 꽃 배송", 19_900, every="week", share=0.08),
    _offer("salad-biweekly", "격주 샐러드", 32_000, every="2 weeks", share=0.06),
    _offer("stream-basic", "스트리밍 베이직", 9_900, every="month", share=0.325),
    _offer("stream-premium", "스트리밍 프리미엄", 14_900, every="month", share=0.22),
    _offer("coffee-monthly", "원두 정기배송", 24_000, every="month", share=0.17),
    _offer("purifier-rental", "정수기 렌탈", 29_900, every="month", share=0.09),
    _offer("vitamin-quarter", "분기 영양제", 78_000, every="3 months", share=0.04),
)
_KINDS = (("card", 0.62), ("easy_pay", 0.18), ("transfer", 0.12), ("virtual_account", 0.08))


@dataclass(frozen=True, slots=True)
class Subscriber:
    customer: NewCustomer
    plan: NewPlan
    kind: str
    first_day: int  # counted from the merchant's first day


def draw(*words: str | int) -> float:
    """A number in [0, 1) that depends on the words only: a restart draws the same."""
    text = "\0".join(map(str, words)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / (1 << 64)


def subscriber(number: int) -> Subscriber:
    given = _GIVEN[int(draw(number, "given") * len(_GIVEN))]
    name = _SURNAMES[int(draw(number, "surname") * len(_SURNAMES))] + given
    locale = "ko" if draw(number, "locale") < 0.95 else "en"
    if locale == "en":
        name = _ENGLISH[number % len(_ENGLISH)]
    ref = f"demo-{number:04}"
    plan = _drawn([(offer.plan, offer.share) for offer in OFFERS], draw(number, "plan"))
    kind = _drawn(list(_KINDS), draw(number, "kind"))
    if kind == "virtual_account" and plan.interval == "day":
        kind = "card"  # nobody pays into an account each morning
    return Subscriber(
        customer=NewCustomer(ref, name, f"{ref}@example.com", f"010-0000-{number:04}", locale),
        plan=plan,
        kind=kind,
        first_day=0
        if draw(number, "early") < EARLY
        else 1 + int(draw(number, "first") * LAST_COMER),
    )


def first_days() -> dict[int, list[Subscriber]]:
    """Who comes on which day."""
    days: dict[int, list[Subscriber]] = {}
    for number in range(SUBSCRIBERS):
        new = subscriber(number)
        days.setdefault(new.first_day, []).append(new)
    return days


def card_expires_on(ref: str, today: date) -> date:
    """The last day of a month within five years."""
    month = today.replace(day=1) + timedelta(days=31 * (1 + int(draw(ref, "expires") * 60)))
    return month.replace(day=1) - timedelta(days=1)


def _drawn(shares: list[tuple[T, float]], number: float) -> T:
    for value, share in shares:
        number -= share
        if number < 0:
            return value
    return shares[-1][0]
