from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from opsapp.consents.models import Consent, ConsentWithdrawal, Terms
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound


@dataclass(frozen=True, slots=True)
class Agreement:
    """A consent that was given and not taken back."""

    consent_id: int
    kind: str
    subject_type: str
    subject_id: int
    agreed_at: datetime


def get_terms(terms_id: int) -> Terms:
    """Raises NotFound."""
    found = db.session.get(Terms, terms_id)
    if found is None:
        raise NotFound(noun="terms", id=terms_id)
    return found


def list_terms_on(kinds: Sequence[str], day: date) -> dict[str, Terms]:
    """By kind the version that is shown on this Seoul day."""
    shown = (
        select(Terms)
        .where(Terms.kind.in_(kinds), Terms.effective_from <= day)
        .ext(distinct_on(Terms.kind))
        .order_by(Terms.kind, Terms.version.desc())
    )
    return {terms.kind: terms for terms in db.session.scalars(shown)}


def list_versions(kind: str) -> list[Terms]:
    """The newest first."""
    versions = select(Terms).where(Terms.kind == kind).order_by(Terms.version.desc())
    return list(db.session.scalars(versions))


def list_versions_of(kinds: Sequence[str]) -> list[Terms]:
    """By kind, the newest first."""
    versions = select(Terms).where(Terms.kind.in_(kinds))
    return list(db.session.scalars(versions.order_by(Terms.kind, Terms.version.desc())))


def count_by_terms() -> dict[int, int]:
    """How many have agreed to each version."""
    counts = select(Consent.terms_id, func.count()).where(Consent.terms_id.is_not(None))
    rows = db.session.execute(counts.group_by(Consent.terms_id))
    return {terms_id: count for terms_id, count in rows if terms_id is not None}


def list_agreements(
    subscription_ids: Sequence[int], kinds: Sequence[str]
) -> dict[int, list[Agreement]]:
    """By subscription what was agreed to and not taken back, the oldest first."""
    if not subscription_ids:
        return {}
    rows = db.session.execute(
        _standing()
        .where(Consent.subscription_id.in_(subscription_ids), Consent.kind.in_(kinds))
        .order_by(Consent.agreed_at, Consent.id)
    )
    found: dict[int, list[Agreement]] = {}
    for row in rows:
        agreement = Agreement(row.id, row.kind, row.subject_type, row.subject_id, row.agreed_at)
        found.setdefault(row.subscription_id, []).append(agreement)
    return found


def is_withdrawn(subscription_id: int, kind: str) -> bool:
    """Whether the last agreement of this kind was taken back, and none was given since."""
    latest = (
        select(ConsentWithdrawal.id)
        .select_from(Consent)
        .outerjoin(ConsentWithdrawal, ConsentWithdrawal.consent_id == Consent.id)
        .where(Consent.subscription_id == subscription_id, Consent.kind == kind)
        .order_by(Consent.agreed_at.desc(), Consent.id.desc())
        .limit(1)
    )
    return db.session.scalars(latest).first() is not None


def get_consent(consent_id: int) -> Consent:
    """Raises NotFound."""
    found = db.session.get(Consent, consent_id)
    if found is None:
        raise NotFound(noun="consent", id=consent_id)
    return found


def list_of_customer(customer_id: int, *, subscription_id: int | None = None) -> list[Any]:
    """(Consent, Terms or None, ConsentWithdrawal or None), the newest first."""
    theirs = (
        select(Consent, Terms, ConsentWithdrawal)
        .outerjoin(Terms, Terms.id == Consent.terms_id)
        .outerjoin(ConsentWithdrawal, ConsentWithdrawal.consent_id == Consent.id)
        .where(Consent.customer_id == customer_id)
        .order_by(Consent.agreed_at.desc(), Consent.id.desc())
    )
    if subscription_id is not None:
        theirs = theirs.where(Consent.subscription_id == subscription_id)
    return list(db.session.execute(theirs))


def _standing() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Consent.id,
            Consent.subscription_id,
            Consent.kind,
            Consent.subject_type,
            Consent.subject_id,
            Consent.agreed_at,
        )
        .outerjoin(ConsentWithdrawal, ConsentWithdrawal.consent_id == Consent.id)
        .where(ConsentWithdrawal.id.is_(None))
    )
