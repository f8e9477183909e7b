"""Agreeing: who agreed to which words, when and by which way, written so that it can be proved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from opsapp.consents import queries, rules
from opsapp.consents.errors import NoTerms, TextChanged
from opsapp.consents.events import ConsentFact, ConsentsGiven
from opsapp.consents.models import Consent, Terms
from opsapp.consents.rules import Shown
from opsapp.kernel import clock, log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record_many
from opsapp.settings import current

IMPORT = "import"


@dataclass(frozen=True, slots=True)
class NewConsent:
    """`facts` fill in the text (rules.fill_in names them; the shop's name is added).

    `seen_hash`: of the words that were on the screen. Without `agreed_at` it is now. Of a consent
    given elsewhere (channel "import") `terms_label` is all that is known of the text.
    """

    kind: str
    customer_id: int
    subscription_id: int | None
    facts: Mapping[str, Any]
    channel: str
    subject_type: str = "subscription"
    subject_id: int | None = None  # without it, the subscription's
    locale: str = "ko"
    seen_hash: str | None = None
    agreed_at: datetime | None = None
    terms_label: str = ""
    link_id: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody is asked to agree to, as it stands on their screen."""

    kind: str
    terms: Terms
    facts: dict[str, Any]
    locale: str
    shown: Shown


def offer(kind: str, facts: Mapping[str, Any], *, locale: str) -> Offer:
    """The words of today. Raises NoTerms."""
    terms = queries.list_terms_on([kind], clock.seoul_date(clock.now())).get(kind)
    if terms is None:
        raise NoTerms
    return _offer(terms, facts, locale)


def show_again(consent: Consent, terms: Terms) -> Shown:
    """The words that were agreed to; their hash is the one of the consent, or somebody lied."""
    title, text = _texts(terms, consent.locale)
    return rules.fill_in(title, text, consent.facts, locale=consent.locale)


@within_transaction
def record_consents(wishes: Sequence[NewConsent], *, by: Actor) -> list[int]:
    """Ids in the order of the wishes. Raises NoTerms, and TextChanged where other words were seen.

    The address it came from is taken from the request, its end masked.
    """
    if not wishes:
        return []
    at = clock.now()
    kinds = sorted({wish.kind for wish in wishes if wish.channel != IMPORT})
    terms = queries.list_versions_of(kinds) if kinds else []
    address = rules.mask_address(log.origin.get().address)
    rows = [_row(wish, terms, at=at, address=address, by=by) for wish in wishes]
    written = bulk_insert(Consent, rows, returning=("ref", "id"))
    id_of = {row.ref: row.id for row in written}
    ids = [id_of[row["ref"]] for row in rows]
    record_many(
        [
            Entry(
                "consent.given",
                "consent",
                consent_id,
                detail={
                    "kind": row["kind"],
                    "channel": row["channel"],
                    "terms": row["terms_label"],
                },
            )
            for consent_id, row in zip(ids, rows, strict=True)
        ],
        by=by,
    )
    given = tuple(
        _fact(consent_id, row)
        for consent_id, row in zip(ids, rows, strict=True)
        if row["channel"] != IMPORT
    )
    if given:
        announce(ConsentsGiven(given))
    return ids


def _offer(terms: Terms, facts: Mapping[str, Any], locale: str) -> Offer:
    whole = {"shop": current().shop_name} | dict(facts)
    title, text = _texts(terms, locale)
    shown = rules.fill_in(title, text, whole, locale=locale)
    return Offer(terms.kind, terms, whole, locale, shown)


def _texts(terms: Terms, locale: str) -> tuple[str, str]:
    if locale == "en":
        return terms.title_en, terms.text_en
    return terms.title_ko, terms.text_ko


def _row(
    wish: NewConsent, terms: Sequence[Terms], *, at: datetime, address: str, by: Actor
) -> dict[str, Any]:
    told = {
        "terms_id": None,
        "terms_label": wish.terms_label,
        "text_hash": "",
        "facts": dict(wish.facts),
    }
    if wish.channel != IMPORT:
        told = _told(wish, terms, clock.seoul_date(wish.agreed_at or at))
    return told | {
        "ref": new_ref("cons"),
        "customer_id": wish.customer_id,
        "subscription_id": wish.subscription_id,
        "subject_type": wish.subject_type,
        "subject_id": wish.subject_id or wish.subscription_id or wish.customer_id,
        "kind": wish.kind,
        "locale": wish.locale,
        "channel": wish.channel,
        "address": address if wish.channel == "link" else "",
        "link_id": wish.link_id,
        "recorded_by": str(by),
        "agreed_at": wish.agreed_at or at,
    }


def _told(wish: NewConsent, terms: Sequence[Terms], day: date) -> dict[str, Any]:
    """By the version that was shown on the day of the agreement."""
    shown = [each for each in terms if each.kind == wish.kind and each.effective_from <= day]
    if not shown:
        raise NoTerms
    offered = _offer(shown[0], wish.facts, wish.locale)
    if wish.seen_hash not in (None, offered.shown.hash):
        raise TextChanged
    return {
        "terms_id": offered.terms.id,
        "terms_label": f"v{offered.terms.version}",
        "text_hash": offered.shown.hash,
        "facts": offered.facts,
    }


def _fact(consent_id: int, row: Mapping[str, Any]) -> ConsentFact:
    return ConsentFact(
        consent_id,
        row["customer_id"],
        row["subscription_id"],
        row["kind"],
        row["subject_type"],
        row["subject_id"],
    )
