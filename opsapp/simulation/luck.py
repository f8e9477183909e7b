"""Luck: what happens to whom, decided by names and never by the order of calls.

A name is made of what the business calls things (customer, plan and day, how often they were
tried), so two runs that number their rows otherwise still meet the same fate.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

_BYTES = 8


@dataclass(frozen=True, slots=True)
class Luck:
    seed: int

    def draw(self, *name: object) -> float:
        """At least 0 and below 1, evenly, the same for the same name."""
        text = "|".join(map(str, (self.seed, *name)))
        digest = blake2b(text.encode(), digest_size=_BYTES).digest()
        return int.from_bytes(digest) / float(1 << 8 * _BYTES)

    def hits(self, share: float, *name: object) -> bool:
        return share > 0 and self.draw(*name) < share

    def choose(self, shares: dict[str, float], *name: object) -> str | None:
        """One of the names, each with its share of all draws; None for the rest."""
        left = self.draw(*name)
        for choice, share in shares.items():
            if left < share:
                return choice
            left -= share
        return None


@dataclass(frozen=True, slots=True)
class Profile:
    """What goes wrong, as shares of the calls, jobs, messages or cards that it may happen to."""

    declines: dict[str, float] = field(default_factory=dict)  # by code, of one charge
    lost_before: float = 0  # the request never arrives
    lost_after: float = 0  # it takes effect, and the answer is lost
    late: float = 0  # it takes effect hours later
    errors_500: float = 0  # an error without a code, half of them after the effect
    worker_killed: float = 0  # the worker dies after the effect, with the whole batch in hand
    inquiry_failures: float = 0
    dry_cards: float = 0  # of the cards, each month: no funds until payday
    dead_cards: float = 0  # of the cards, each month: stopped for ever
    outage_hours: int = 0  # once a month nobody reaches the gateway for so long
    hints_dropped: float = 0
    hints_doubled: float = 0
    hints_delayed: float = 0
    hints_shuffled: bool = False
    redis_emptied: float = 0  # of the days: not one hint arrives
    webhooks_doubled: float = 0
    deposits_missing: float = 0  # of the accounts
    messages_away: float = 0
    messages_refused: float = 0
    two_schedulers: float = 0  # of the rounds: both think that they lead
    seals_late: float = 0  # of the days: nobody seals the log


_EVERYDAY: dict[str, float] = {
    "REJECT_CARD_PAYMENT": 0.02,
    "EXCEED_MAX_DAILY_PAYMENT_COUNT": 0.008,
    "REJECT_CARD_COMPANY": 0.006,
    "INVALID_STOPPED_CARD": 0.001,
    "FAILED_CARD_COMPANY_RESPONSE": 0.002,
}

PROFILES: dict[str, Profile] = {
    "none": Profile(),
    "everyday": Profile(
        declines=_EVERYDAY, lost_before=0.002, lost_after=0.004, dry_cards=0.02, dead_cards=0.003,
        deposits_missing=0.1, messages_away=0.01, messages_refused=0.005,
    ),
    "all": Profile(
        declines=_EVERYDAY | {"REJECT_CARD_PAYMENT": 0.03, "NOT_AVAILABLE_PAYMENT": 0.004},
        lost_before=0.02, lost_after=0.03, late=0.01, errors_500=0.02, worker_killed=0.01,
        inquiry_failures=0.05, dry_cards=0.03, dead_cards=0.005, outage_hours=6,
        hints_dropped=0.1, hints_doubled=0.1, hints_delayed=0.1, hints_shuffled=True,
        redis_emptied=0.01, webhooks_doubled=0.2, deposits_missing=0.15,
        messages_away=0.03, messages_refused=0.01, two_schedulers=0.2, seals_late=0.2,
    ),
    "outage": Profile(outage_hours=6, lost_before=0.01, lost_after=0.01, dry_cards=0.01),
    "redis": Profile(
        hints_dropped=0.3, hints_doubled=0.3, hints_delayed=0.3, hints_shuffled=True,
        redis_emptied=0.2, dry_cards=0.01,
    ),
}  # fmt: skip
